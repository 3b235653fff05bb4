"""`backcast sweep`: backtest every combination of parameters."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.json_format import MessageToJson

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.console import make_console
from services.cli.errors import readable_errors
from services.cli.sweep_view import SweepView
from services.shared.rpc_channel import open_channel


def sweep(request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool) -> bool:
    """Sweep and show it; return whether every backtest succeeded. Ctrl-C cancels on the server too."""
    return asyncio.run(_print_json(request, gateway) if jsonl else _show(request, gateway))


async def _events(
    request: pb.SweepBacktestsRequest, gateway: str
) -> AsyncGenerator[pb.SweepBacktestsResponse]:
    async with open_channel(gateway) as channel:
        call = BacktestServiceStub(channel).SweepBacktests(request)
        try:
            with readable_errors("gateway", gateway):
                async for event in call:
                    yield event
        finally:
            call.cancel()


async def _print_json(request: pb.SweepBacktestsRequest, gateway: str) -> bool:
    failed = 0
    async with aclosing(_events(request, gateway)) as events:
        async for event in events:
            line = MessageToJson(event, indent=None, always_print_fields_with_no_presence=True)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            failed = max(failed, event.progress.failed)
    return not failed


async def _show(request: pb.SweepBacktestsRequest, gateway: str) -> bool:
    failed = 0
    with SweepView(make_console()) as view:
        async with aclosing(_events(request, gateway)) as events:
            async for event in events:
                view.show(event)
                failed = max(failed, event.progress.failed)
    return not failed
