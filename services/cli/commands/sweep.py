"""`backcast sweep`: backtest every combination of parameters."""

import asyncio

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.client.event_stream import events_of, excuses_short_histories, follow, print_json
from services.cli.files.output import Output
from services.cli.options.output import OutputOptions
from services.cli.views.console import make_console
from services.cli.views.metric_cells import metric_names
from services.cli.views.sweep import SweepScreen


def sweep(
    request: pb.SweepBacktestsRequest,
    gateway: str,
    jsonl: bool,
    columns: str | None,
    output: OutputOptions,
) -> bool:
    """Run a sweep and show it; return whether every backtest succeeded. Ctrl-C cancels it on the server too.

    Files are written when the sweep has completed. Raises InvalidInput, naming the option, if `columns` names
    an unknown metric, or if a file cannot be written.
    """
    files = Output(output, request)
    shown = None if columns is None else metric_names(columns, "--columns")
    console = make_console()
    view = None if jsonl else SweepScreen(console, shown)
    succeeded = asyncio.run(_sweep(request, gateway, view, files))
    files.write(None if jsonl else console)
    return succeeded


async def _sweep(
    request: pb.SweepBacktestsRequest, gateway: str, view: SweepScreen | None, files: Output
) -> bool:
    calling = events_of(gateway, lambda channel: BacktestServiceStub(channel).SweepBacktests, request)
    events, excused = files.noting(calling), excuses_short_histories(request)
    if view is None:
        return await follow(events, print_json, excuse_short_histories=excused)
    with view:
        return await follow(events, view.show, excuse_short_histories=excused)
