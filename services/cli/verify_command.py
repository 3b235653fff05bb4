"""`backcast verify`: repeats a run on shorter histories, and looks for what the future had a say in."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.console import make_console, say
from services.cli.event_stream import events_of
from services.cli.look_ahead import Difference, first_difference
from services.shared.interval import Interval

_MOST_DIFFERENCES = 20


def verify(request: pb.RunBacktestsRequest, gateway: str, cuts: int) -> bool:
    """Run `request`, then `cuts` times on a history that ends earlier; return whether nothing differs."""
    return asyncio.run(_verify(request, gateway, cuts, make_console()))


async def _verify(request: pb.RunBacktestsRequest, gateway: str, cuts: int, console: Console) -> bool:
    request.detail = result_pb2.DETAIL_EQUITY
    request.curve_points = 0
    # What is compared is computed, not remembered.
    request.cache_mode = pb.CACHE_MODE_BYPASS
    differences: list[Difference] = []
    compared = 0
    with _progress(console) as progress:
        task = progress.add_task("the whole history", total=cuts + 1)
        whole, failures, understood = await _results(request, gateway)
        if not whole:
            progress.stop()
            for symbol, message in failures.items():
                say(console, f"[red]{symbol}[/red]: {escape(message)}")
            return False
        progress.update(task, advance=1)
        for end_s in _ends(understood, whole, cuts):
            progress.update(task, description=f"up to {_time(end_s)}")
            shorter_request = pb.RunBacktestsRequest()
            shorter_request.CopyFrom(understood)
            del shorter_request.symbols[:]
            shorter_request.symbols.extend(
                symbol for symbol, result in whole.items() if result.equity_curve.open_time_s[0] < end_s
            )
            shorter_request.end_time.FromSeconds(end_s)
            if shorter_request.symbols:
                shorter, _, _ = await _results(shorter_request, gateway)
                compared += len(shorter)
                found = (first_difference(whole[symbol], result) for symbol, result in shorter.items())
                differences += filter(None, found)
            progress.update(task, advance=1)
    _show(console, differences, len(whole), compared)
    for symbol, message in failures.items():
        say(console, f"[yellow]not verified: {symbol}: {escape(message)}[/yellow]")
    return not differences and not failures


async def _results(
    request: pb.RunBacktestsRequest, gateway: str
) -> tuple[dict[str, BacktestResult], dict[str, str], pb.RunBacktestsRequest]:
    """Return results and failures by symbol, and the request with its defaults filled in."""
    results, failures = {}, {}
    understood = request
    async with aclosing(events_of(gateway, lambda stub: stub.RunBacktests(request))) as events:
        async for event in events:
            match event.WhichOneof("event"):
                case "started":
                    understood = event.started.request
                case "result":
                    results[event.result.symbol] = event.result
                case "failure":
                    failures[event.failure.symbol] = event.failure.status.message
    return results, failures, understood


def _ends(request: pb.RunBacktestsRequest, whole: dict[str, BacktestResult], cuts: int) -> list[int]:
    """Return where the shorter histories end, in Unix seconds: spread over the window, half of them at exits.

    After the candle of an exit is where a strategy that knew the future would show it first.
    """
    interval_s = tuple(Interval)[request.interval - 1].seconds
    start_s, end_s = request.start_time.seconds, request.end_time.seconds
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
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def _show(console: Console, differences: list[Difference], cryptos: int, compared: int) -> None:
    if not differences:
        say(
            console,
            f"[green]no look-ahead[/green]: of {cryptos} cryptos, {compared} shorter histories gave the same "
            "equity and trades as the whole one, to the last bit",
        )
        return
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
    say(console, f"[red]{len(differences)} of {compared} shorter histories differ[/red]")


def _time(time_s: int) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M}"
