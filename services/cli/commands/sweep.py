"""`backcast sweep`: backtest every combination of parameters."""

import asyncio

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.client.event_stream import events_of, excuses_short_histories, follow, print_json
from services.cli.views.console import make_console
from services.cli.views.metric_cells import metric_names
from services.cli.views.sweep import SweepView


def sweep(request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool, columns: str | None = None) -> bool:
    """Run a sweep and show it; return whether every backtest succeeded. Ctrl-C cancels it on the server too.

    Raises InvalidInput, naming the option, if `columns` names an unknown metric.
    """
    shown = None if columns is None else metric_names(columns, "--columns")
    return asyncio.run(_sweep(request, gateway, jsonl, shown))


async def _sweep(
    request: pb.SweepBacktestsRequest, gateway: str, jsonl: bool, columns: list[str] | None
) -> bool:
    events = events_of(gateway, lambda channel: BacktestServiceStub(channel).SweepBacktests, request)
    if jsonl:
        return await follow(events, print_json, excuse_short_histories=excuses_short_histories(request))
    with SweepView(make_console(), columns) as view:
        return await follow(events, view.show, excuse_short_histories=excuses_short_histories(request))
