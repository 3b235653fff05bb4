"""`backcast run`: backtest a strategy on many cryptos."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.errors import InvalidInput
from services.cli.client.event_stream import excuses_short_histories, follow, print_json, run_events
from services.cli.options.output import OutputOptions
from services.cli.options.run_options import Detail, RowOptions
from services.cli.views.console import make_console, say
from services.cli.views.metric_cells import metric_name, metric_names
from services.cli.views.run import MOST_ROWS, RunView

if TYPE_CHECKING:
    from services.cli.files.result_files import ResultFiles

_Events = AsyncGenerator[pb.RunBacktestsResponse]


def result_files(output: OutputOptions, detail: Detail) -> "ResultFiles | None":
    """Return the files that the options name, None if they name none.

    Raises InvalidInput, naming the option, if the files cannot be made.
    """
    if output.output is None:
        if output.overwrite:
            raise InvalidInput.of("--overwrite", "needs --output")
        return None
    # Imported here, because importing PyArrow is slow.
    from services.cli.files.result_files import ResultFiles

    return ResultFiles(output.output, detail, overwrite=output.overwrite)


def run(
    request: pb.RunBacktestsRequest,
    gateway: str,
    jsonl: bool,
    rows: RowOptions,
    files: "ResultFiles | None" = None,
) -> bool:
    """Run `request` and show it; return whether every crypto succeeded. Ctrl-C stops it on the server too.

    With `files`, these are written when the run has completed. Raises InvalidInput, naming the option, if
    `rows` names an unknown metric, or if a file cannot be written.
    """
    sort = metric_name(rows.sort, "--sort")
    columns = None if rows.columns is None else metric_names(rows.columns, "--columns")
    console = make_console()
    view = RunView(console, sort=sort, columns=columns)
    succeeded = asyncio.run(
        _print_run(request, gateway, files) if jsonl else _show(request, gateway, view, files)
    )
    if files:
        written = files.write()
        if not jsonl:
            say(console, escape(written))
    return succeeded


async def _print_run(
    request: pb.RunBacktestsRequest, gateway: str, files: "ResultFiles | None" = None
) -> bool:
    events = _noted(run_events(gateway, request), files)
    return await follow(events, print_json, excuse_short_histories=excuses_short_histories(request))


async def _noted(events: _Events, files: "ResultFiles | None") -> _Events:
    """Yield events, and let `files` note each of them."""
    async with aclosing(events) as stream:
        async for event in stream:
            if files:
                files.add(event)
            yield event


async def show_run(
    request: pb.RunBacktestsRequest, gateway: str, console: Console, most_rows: int = MOST_ROWS
) -> bool:
    """Run `request` and show results as they arrive; return whether every crypto succeeded."""
    return await _show(request, gateway, RunView(console, most_rows))


async def _show(
    request: pb.RunBacktestsRequest, gateway: str, view: RunView, files: "ResultFiles | None" = None
) -> bool:
    with view:
        events = _noted(run_events(gateway, request), files)
        return await follow(events, view.show, excuse_short_histories=excuses_short_histories(request))
