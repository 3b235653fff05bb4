"""`backcast sweep`: backtest every combination of parameters."""

import asyncio

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.console import make_console
from services.cli.event_stream import events_of, follow, print_json
from services.cli.sweep_view import SweepView


def sweep(request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool) -> bool:
    """Sweep and show it; return whether every backtest succeeded. Ctrl-C cancels on the server too."""
    return asyncio.run(_sweep(request, gateway, jsonl))


async def _sweep(request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool) -> bool:
    events = events_of(gateway, lambda stub: stub.SweepBacktests, request)
    if jsonl:
        return await follow(events, print_json)
    with SweepView(make_console()) as view:
        return await follow(events, view.show)
