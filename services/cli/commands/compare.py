"""`backcast compare`: several strategies side by side, on the same cryptos and the same window."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast.result import metric_rows
from services.cli.client.compared_runs import ComparedRun, compared_runs
from services.cli.views.comparison import LETTERS, ComparisonTables, compared_words
from services.cli.views.console import CountColumn, counted, make_console, say
from services.cli.views.failure_lines import failure_lines, later_line, left_out_line
from services.cli.views.metric_cells import metric_names
from services.domain.comparison import (
    Differences,
    Statistics,
    common_symbols,
    differences_of,
    statistics_of,
)


def compare(
    requests: Sequence[pb.RunBacktestsRequest], gateway: str, jsonl: bool, columns: str | None = None
) -> bool:
    """Run the requests, and show their comparison; return whether every crypto succeeded in every run.

    Raises InvalidInput, naming the option, if `columns` names an unknown metric.
    """
    shown = None if columns is None else metric_names(columns, "--columns")
    console = make_console()
    runs = asyncio.run(_run(requests, gateway, console))
    symbols = common_symbols([run.results for run in runs])
    figures = [metric_rows([run.results[symbol].metrics for symbol in symbols]) for run in runs]
    statistics = [statistics_of(one) for one in figures]
    differences = [differences_of(one, figures[0]) for one in figures[1:]]
    if jsonl:
        for line in _lines(runs, symbols, statistics, differences):
            print(json.dumps(line, ensure_ascii=False))
    else:
        _show(console, runs, symbols, statistics, differences, shown)
    return not any(run.has_failed(asked) for run, asked in zip(runs, requests, strict=True))


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


def _show(
    console: Console,
    runs: Sequence[ComparedRun],
    symbols: Sequence[str],
    statistics: Sequence[Statistics],
    differences: Sequence[Differences],
    metrics: Sequence[str] | None,
) -> None:
    specs = [run.request.spec for run in runs]
    say(console, compared_words(specs, len(symbols)))
    if left_out := left_out_line(runs[0].left_out):
        say(console, left_out)
    if later := later_line(runs[0].later):
        say(console, later)
    tables = ComparisonTables(specs, metrics)
    console.print(tables.medians(console.width, statistics))
    console.print(tables.quantiles(console.width, statistics))
    console.print(tables.differences(console.width, differences))
    say(
        console,
        "[dim]t takes the cryptos as independent; they move together, so it overstates the evidence[/dim]",
    )
    for letter, run in zip(LETTERS, runs, strict=False):
        for line in failure_lines((symbol, status.message) for symbol, status in run.failures.items()):
            say(console, f"{letter}: {line}")
    if failed := {symbol for run in runs for symbol in run.failures}:
        say(
            console,
            f"[yellow]not compared: {counted(len(failed), 'crypto')} without a result of all[/yellow]",
        )


def _lines(
    runs: Sequence[ComparedRun],
    symbols: Sequence[str],
    statistics: Sequence[Statistics],
    differences: Sequence[Differences],
) -> Iterator[dict[str, Any]]:
    """Yield the lines of JSON; what is undefined is absent."""
    for letter, run, one in zip(LETTERS, runs, statistics, strict=False):
        values = {name: value for name, value in asdict(one).items() if value is not None}
        values |= values.pop("quantiles")
        request = _dict(run.request)
        yield {"strategy": {"letter": letter, "request": request, "crypto_count": len(symbols), **values}}
    for letter, difference in zip(LETTERS[1:], differences, strict=False):
        yield {"difference": {"letter": letter, "minus": LETTERS[0], **asdict(difference)}}
    for symbol in symbols:
        figures = {
            letter: _dict(run.results[symbol].metrics) for letter, run in zip(LETTERS, runs, strict=False)
        }
        yield {"crypto": {"symbol": symbol, "metrics": figures}}
    for letter, run in zip(LETTERS, runs, strict=False):
        for symbol, status in sorted(run.failures.items()):
            yield {"failure": {"letter": letter, "symbol": symbol, "status": _dict(status)}}


def _dict(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)
