"""`backcast compare`: several strategies side by side, on the same cryptos and the same window."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from backcast.backtest.v1.result_pb2 import DETAIL_METRICS
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.errors import InvalidInput
from services.cli.client.compared_runs import ComparedRun, Comparison, compared_runs
from services.cli.options.output import OutputOptions
from services.cli.views.comparison import ComparisonTables, compared_words
from services.cli.views.console import CountColumn, make_console, say
from services.cli.views.failure_lines import failure_lines, later_line, left_out_line
from services.cli.views.metric_cells import metric_names
from services.cli.views.summary import NEVER_TRADED
from services.domain.comparison import LETTERS
from services.domain.counted import counted

if TYPE_CHECKING:
    from services.cli.files.comparison_files import ComparisonFiles


def compare(
    requests: Sequence[pb.RunBacktestsRequest],
    gateway: str,
    jsonl: bool,
    columns: str | None,
    output: OutputOptions,
) -> bool:
    """Run the requests, and show their comparison; return whether every crypto succeeded in every run.

    Raises InvalidInput, naming the option, if `columns` names an unknown metric, or if a file cannot be
    written.
    """
    files = _files(requests[0], output)
    shown = None if columns is None else metric_names(columns, "--columns")
    console = make_console()
    runs = asyncio.run(_run(requests, gateway, console))
    comparison = Comparison.of(runs)
    if jsonl:
        for line in _lines(comparison):
            print(json.dumps(line, ensure_ascii=False))
    else:
        _show(console, comparison, shown)
    if files:
        written = files.write(comparison)
        if not jsonl:
            say(console, escape(written))
    return not any(run.has_failed(asked) for run, asked in zip(runs, requests, strict=True))


def _files(request: pb.RunBacktestsRequest, output: OutputOptions) -> "ComparisonFiles | None":
    """Return the files that the options name; raise InvalidInput, naming the option, if there can be none."""
    path = output.path()
    if path is None:
        if request.detail > DETAIL_METRICS:
            raise InvalidInput.of("--detail", "needs --output: only files have trades and equity")
        return None
    # Imported here, because importing PyArrow is slow.
    from services.cli.files.comparison_files import ComparisonFiles

    return ComparisonFiles(path, request.detail, overwrite=output.overwrite)


async def _run(
    requests: Sequence[pb.RunBacktestsRequest], gateway: str, console: Console
) -> list[ComparedRun]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks = [
        bar.add_task(f"{letter} {request.spec.strategy.WhichOneof('kind')}", total=None)
        for letter, request in zip(LETTERS, requests, strict=False)
    ]

    def report(place: int, progress: run_events_pb2.Progress) -> None:
        done = progress.completed + progress.failed
        bar.update(tasks[place], total=progress.total, completed=done)

    with bar:
        return await compared_runs(gateway, requests, report)


def _show(console: Console, comparison: Comparison, metrics: Sequence[str] | None) -> None:
    runs = [*comparison.runs.values()]
    specs, statistics = [run.request.spec for run in runs], [*comparison.statistics.values()]
    say(console, compared_words(specs, len(comparison.symbols)))
    if left_out := left_out_line(runs[0].left_out):
        say(console, left_out)
    if later := later_line(runs[0].later):
        say(console, later)
    tables = ComparisonTables(specs, metrics)
    console.print(tables.medians(console.width, statistics))
    console.print(tables.quantiles(console.width, statistics))
    console.print(tables.differences(console.width, [*comparison.differences.values()]))
    say(
        console,
        "[dim]t takes the cryptos as independent; they move together, so it overstates the evidence[/dim]",
    )
    for letter, one in comparison.statistics.items():
        if one.cryptos_without_trades == len(comparison.symbols):
            say(console, f"{letter}: {NEVER_TRADED}")
    for letter, run in comparison.runs.items():
        for line in failure_lines((symbol, status.message) for symbol, status in run.failures.items()):
            say(console, f"{letter}: {line}")
    if failed := {symbol for run in runs for symbol in run.failures}:
        say(
            console,
            f"[yellow]not compared: {counted(len(failed), 'crypto')} without a result of all[/yellow]",
        )


def _lines(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the lines of JSON; what is undefined is absent."""
    runs, count = comparison.runs, len(comparison.symbols)
    for letter, one in comparison.statistics.items():
        values = {name: value for name, value in asdict(one).items() if value is not None}
        values |= values.pop("quantiles")
        request = _dict(runs[letter].request)
        yield {"strategy": {"letter": letter, "request": request, "crypto_count": count, **values}}
    for letter, difference in comparison.differences.items():
        yield {"difference": {"letter": letter, "minus": LETTERS[0], **asdict(difference)}}
    for symbol in comparison.symbols:
        figures = {letter: _dict(run.results[symbol].metrics) for letter, run in runs.items()}
        yield {"crypto": {"symbol": symbol, "metrics": figures}}
    for letter, run in runs.items():
        for symbol, status in sorted(run.failures.items()):
            yield {"failure": {"letter": letter, "symbol": symbol, "status": _dict(status)}}


def _dict(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)
