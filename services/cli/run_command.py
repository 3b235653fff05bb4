"""`backcast run`: backtest a strategy on many cryptos."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.json_format import MessageToJson
from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.console import make_console
from services.cli.errors import readable_errors
from services.cli.run_view import MOST_ROWS, RunView
from services.shared.rpc_channel import open_channel


def run(request: pb.RunBacktestsRequest, gateway: str, jsonl: bool) -> bool:
    """Run and show `request`; return whether every crypto succeeded. Ctrl-C cancels on the server too."""
    shown = _print_json(request, gateway) if jsonl else show_run(request, gateway, make_console())
    return asyncio.run(shown)


async def run_events(
    request: pb.RunBacktestsRequest, gateway: str
) -> AsyncGenerator[pb.RunBacktestsResponse]:
    """Yield the events of a run; closing the iterator cancels the run on the server."""
    async with open_channel(gateway) as channel:
        call = BacktestServiceStub(channel).RunBacktests(request)
        try:
            with readable_errors("gateway", gateway):
                async for event in call:
                    yield event
        finally:
            call.cancel()


async def _print_json(request: pb.RunBacktestsRequest, gateway: str) -> bool:
    failed = 0
    async with aclosing(run_events(request, gateway)) as events:
        async for event in events:
            # Zeros are printed, so that what is not there is undefined and not 0.
            line = MessageToJson(event, indent=None, always_print_fields_with_no_presence=True)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            failed = event.progress.failed
    return not failed


async def show_run(
    request: pb.RunBacktestsRequest, gateway: str, console: Console, most_rows: int = MOST_ROWS
) -> bool:
    """Run `request` and show it while it goes; return whether every crypto succeeded."""
    failed = 0
    with RunView(console, most_rows) as view:
        async with aclosing(run_events(request, gateway)) as events:
            async for event in events:
                view.show(event)
                failed = event.progress.failed
    return not failed
