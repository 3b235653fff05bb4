"""`backcast run`: backtest a strategy on many cryptos."""

import asyncio

from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.client.event_stream import excuses_short_histories, follow, print_json, run_events
from services.cli.files.output import Output
from services.cli.options.output import OutputOptions
from services.cli.options.run_options import RowOptions
from services.cli.views.console import make_console
from services.cli.views.metric_cells import metric_name, metric_names
from services.cli.views.run import MOST_ROWS, RunScreen


def run(
    request: pb.RunBacktestsRequest, gateway: str, jsonl: bool, rows: RowOptions, output: OutputOptions
) -> bool:
    """Run `request` and show it; return whether every crypto succeeded. Ctrl-C stops it on the server too.

    Files are written when the run has completed. Raises InvalidInput, naming the option, if `rows` names an
    unknown metric, or if a file cannot be written.
    """
    files = Output(output, request)
    sort = metric_name(rows.sort, "--sort")
    columns = None if rows.columns is None else metric_names(rows.columns, "--columns")
    console = make_console()
    if jsonl:
        events = files.noting(run_events(gateway, request))
        excused = excuses_short_histories(request)
        succeeded = asyncio.run(follow(events, print_json, excuse_short_histories=excused))
    else:
        view = RunScreen(console, sort=sort, columns=columns)
        succeeded = asyncio.run(_show(request, gateway, view, files))
    files.write(None if jsonl else console)
    return succeeded


async def show_run(
    request: pb.RunBacktestsRequest, gateway: str, console: Console, most_rows: int = MOST_ROWS
) -> bool:
    """Run `request` and show results as they arrive; return whether every crypto succeeded."""
    return await _show(request, gateway, RunScreen(console, most_rows), Output(OutputOptions(), request))


async def _show(request: pb.RunBacktestsRequest, gateway: str, view: RunScreen, files: Output) -> bool:
    with view:
        events = files.noting(run_events(gateway, request))
        return await follow(events, view.show, excuse_short_histories=excuses_short_histories(request))
