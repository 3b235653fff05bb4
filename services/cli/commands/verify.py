"""`backcast verify`: repeats a run on shorter histories, to check it for look-ahead."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast.backtest.v1 import execution_pb2, result_pb2
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_events_pb2 import LeftOutCrypto
from backcast_engine.interval import Interval
from services.cli.client.event_stream import run_events
from services.cli.commands.look_ahead import ResultDifference, first_difference
from services.cli.views.console import CountColumn, make_console, say
from services.cli.views.failure_lines import failure_lines, left_out_line
from services.domain.counted import counted

_MOST_DIFFERENCES = 20
# A run is verified with both, or once if it fills at the signals' own closes anyway.
_FILLS = ("with the requested fills", "with fills at the signals' own closes")


def verify(request: pb.RunBacktestsRequest, gateway: str, cuts: int) -> bool:
    """Run `request`, then `cuts` times on a history that ends earlier; return whether nothing differs.

    Everything is done twice: as requested, and with fills at the signals' own closes. A fill at the next open
    could hide a strategy that knows the next candle, because that open comes with the same candle. At the
    signal's own close, nothing of the next candle is known.
    """
    return asyncio.run(show_verification(request, gateway, cuts, make_console()))


async def show_verification(
    request: pb.RunBacktestsRequest, gateway: str, cuts: int, console: Console
) -> bool:
    """Verify `request` and show the outcome; return whether nothing differs and nothing failed."""
    asked = pb.RunBacktestsRequest()
    asked.CopyFrom(request)
    asked.detail, asked.curve_points = result_pb2.DETAIL_EQUITY, 0
    # All results are computed: cached ones would prove nothing.
    asked.cache_mode = pb.CACHE_MODE_BYPASS
    at_close = pb.RunBacktestsRequest()
    at_close.CopyFrom(asked)
    at_close.spec.execution.fill_time = execution_pb2.FILL_TIME_SAME_CLOSE
    variants = [asked] if asked == at_close else [asked, at_close]
    with _progress(console) as progress:
        task = progress.add_task("", total=len(variants) * (cuts + 1))

        def report(doing: str) -> None:
            progress.update(task, description=doing, advance=1)

        try:
            compared = [await _compare(variant, gateway, cuts, report) for variant in variants]
        except asyncio.CancelledError:
            # Ctrl-C.
            progress.stop()
            done = f"{progress.tasks[0].completed:,.0f} of {progress.tasks[0].total:,.0f}"
            say(console, f"[yellow]stopped: {done} histories done[/yellow]")
            raise
    differences = [difference for each in compared for difference in each.differences]
    failures = compared[0].failures
    _show(console, differences, compared)
    for line in failure_lines(failures.items()):
        say(console, f"not verified: {line}")
    if left_out := left_out_line(compared[0].left_out):
        say(console, left_out)
    return not differences and not failures


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The outcome of a comparison: numbers of cryptos and shorter histories, and the differences."""

    cryptos: int
    histories: int
    differences: list[ResultDifference]
    failures: dict[str, str]
    left_out: list[LeftOutCrypto]


async def _compare(
    request: pb.RunBacktestsRequest, gateway: str, cuts: int, report: Callable[[str], None]
) -> _Comparison:
    """Run `request` on the whole history, and compare results on shorter histories with it."""
    whole, failures, understood, left_out = await _results(request, gateway)
    report("the whole history")
    histories = 0
    differences: list[ResultDifference] = []
    for end_s in _ends(understood, whole, cuts):
        symbols = [symbol for symbol, result in whole.items() if result.equity_curve.open_time_s[0] < end_s]
        if symbols:
            shorter_request = pb.RunBacktestsRequest()
            shorter_request.CopyFrom(understood)
            del shorter_request.symbols[:]
            shorter_request.symbols.extend(symbols)
            shorter_request.spec.end_time.FromSeconds(end_s)
            shorter, *_ = await _results(shorter_request, gateway)
            histories += len(shorter)
            found = (first_difference(whole[symbol], result) for symbol, result in shorter.items())
            differences += filter(None, found)
        report(f"up to {_time(end_s)}")
    return _Comparison(len(whole), histories, differences, failures, left_out)


async def _results(
    request: pb.RunBacktestsRequest, gateway: str
) -> tuple[dict[str, BacktestResult], dict[str, str], pb.RunBacktestsRequest, list[LeftOutCrypto]]:
    """Return results and failures by symbol, the request with its defaults, and the left-out cryptos."""
    results, failures = {}, {}
    left_out: list[LeftOutCrypto] = []
    understood = request
    async with aclosing(run_events(gateway, request)) as events:
        async for event in events:
            match event.WhichOneof("event"):
                case "started":
                    understood, left_out = event.started.request, list(event.started.left_out)
                case "result":
                    results[event.result.symbol] = event.result
                case "failure":
                    failures[event.failure.symbol] = event.failure.status.message
    return results, failures, understood, left_out


def _ends(request: pb.RunBacktestsRequest, whole: dict[str, BacktestResult], cuts: int) -> list[int]:
    """Return the ends of the shorter histories in Unix seconds: half at exits, the others spread evenly.

    A strategy that knows the future shows it first after the candle of an exit. If a break closed the
    position, this is right before the break. Most of the evenly spread ends lie within a candle.
    """
    interval_s = tuple(Interval)[request.spec.interval - 1].seconds
    start_s, end_s = request.spec.start_time.seconds, request.spec.end_time.seconds
    exits = sorted(
        {
            trade.exit_time.seconds + interval_s
            for result in whole.values()
            for trade in result.trades
            if not trade.open
        }
    )
    at_exits = exits[:: max(1, len(exits) // (cuts // 2 or 1))][: cuts // 2]
    count = cuts - len(at_exits)
    spread = [start_s + (end_s - start_s) * (index + 1) // (count + 1) for index in range(count)]
    return sorted(spread + at_exits)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _show(console: Console, differences: list[ResultDifference], compared: list[_Comparison]) -> None:
    histories = sum(each.histories for each in compared)
    if not histories:
        say(console, "[red]nothing could be compared[/red]")
    elif differences:
        _show_differences(console, differences, histories)
    else:
        fills = [f"{each.histories:,} {fills}" for each, fills in zip(compared, _FILLS, strict=False)]
        say(
            console,
            f"[green]no look-ahead[/green]: {counted(histories, 'shorter history')} of "
            f"{counted(compared[0].cryptos, 'crypto')} gave the same equity and trades\n"
            f"as the whole ones, to the last bit:\n{', '.join(fills)}",
        )


def _show_differences(console: Console, differences: list[ResultDifference], compared: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("crypto", "first difference", "in", "whole history", "shorter history"):
        table.add_column(heading)
    for difference in differences[:_MOST_DIFFERENCES]:
        table.add_row(
            difference.symbol,
            _time(difference.time_s),
            difference.what,
            difference.whole,
            difference.shorter,
        )
    console.print(table)
    say(console, f"[red]{len(differences):,} of {counted(compared, 'shorter history')} differ[/red]")


def _time(time_s: int) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M}"
