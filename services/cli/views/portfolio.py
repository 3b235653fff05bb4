"""Output of `backcast portfolio`: progress, then the account beside holding, and what each crypto did."""

from collections.abc import Iterable, Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import run_events_pb2
from backcast.gateway.v1.portfolio_service_pb2 import (
    PortfolioStarted,
    PortfolioSummary,
    RunPortfolioResponse,
)
from services.cli.views.console import CountColumn, say
from services.cli.views.failure_lines import later_line, left_out_line
from services.cli.views.portfolio_tables import (
    account_table,
    benchmark_line,
    correlation_lines,
    cryptos_table,
    never_entered_line,
    skipped_line,
    without_candles_line,
)
from services.cli.views.request import (
    execution_words,
    interval_of,
    percent,
    strategy_words,
    window_words,
)
from services.cli.views.result_tables import months_table, sparkline
from services.cli.views.trades_table import trades_table
from services.domain.counted import counted

# Rows of cryptos on a terminal: a longer table is cut to its best and worst. A file gets all rows.
_MOST_ROWS = 20
_MOST_TRADES = 30


class PortfolioScreen:
    """A live progress bar of a portfolio: pass it every event, in a `with` block.

    If Ctrl-C ends the block, it says how the portfolio goes on.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._run_id, self._last = "", 0
        self._crypto_count = 0
        self._capital = 0.0
        self._result: portfolio_pb2.PortfolioResult | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            CountColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("computing signals", total=None)
        self._live = Live(self._progress, console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._live.stop()
        # By Ctrl-C; an error says for itself what happened.
        if self._run_id and kind and not issubclass(kind, Exception):
            watch = f"backcast watch {self._run_id} --after {self._last}"
            say(self._console, f"[yellow]stopped; `{watch}` continues it[/yellow]")

    def show(self, event: RunPortfolioResponse) -> None:
        """Show an event; the last one, the summary, ends the progress bar and prints everything."""
        match event.WhichOneof("event"):
            case "started":
                self._show_started(event.started)
                if self._console.is_terminal:
                    self._live.start(refresh=True)
            case "progress":
                done, total = event.progress.completed, event.progress.total
                trading = "trading" if done == total else "computing signals"
                self._progress.update(self._task, total=total, completed=done, description=trading)
            case "result":
                self._result = event.result
            case "summary":
                self._live.stop()
                if self._result:
                    self._show_result(self._result)
                    say(self._console, self._summary_line(self._result, event.summary))
        self._last = event.sequence

    def _show_started(self, started: PortfolioStarted) -> None:
        spec, self._run_id = started.request.spec, started.run_id
        self._crypto_count = started.crypto_count
        self._capital = spec.execution.initial_capital
        say(self._console, portfolio_words(spec, started.crypto_count))
        for line in (left_out_line(started.left_out), later_line(started.cryptos_with_later_candles)):
            if line:
                say(self._console, line)

    def _show_result(self, result: portfolio_pb2.PortfolioResult) -> None:
        width = self._console.width
        self._console.print(account_table(width, result))
        for line in (
            benchmark_line(result),
            never_entered_line(result) or skipped_line(result),
            without_candles_line(result),
        ):
            if line:
                say(self._console, line)
        most = _MOST_ROWS if self._console.is_terminal else len(result.cryptos)
        self._console.print(cryptos_table(width, result.cryptos, self._capital, most))
        for line in correlation_lines(result.correlation):
            say(self._console, line)
        if result.trades:
            last = result.trades[-_MOST_TRADES:]
            trades = [each.trade for each in last]
            symbols = [each.symbol for each in last]
            self._console.print(
                trades_table(width, "the account", trades, len(result.trades), symbols=symbols)
            )
        if result.monthly_returns:
            self._console.print(months_table(width, "the account", result.monthly_returns))
        if result.curve.equity:
            say(self._console, sparkline(width, "equity", list(result.curve.equity)))
            positions: Sequence[float] = list(result.curve.position_count)
            say(self._console, sparkline(width, "positions", positions))

    def _summary_line(self, result: portfolio_pb2.PortfolioResult, summary: PortfolioSummary) -> str:
        elapsed = summary.elapsed.ToTimedelta().total_seconds()
        line = f"[bold]{counted(self._crypto_count, 'crypto')} in {elapsed:.3f} s[/bold]"
        line += ", from the cache" if result.from_cache else ""
        if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
            line += "\n[yellow]the cache does not answer: the result was computed and not kept[/yellow]"
        return line


def portfolio_words(spec: portfolio_pb2.PortfolioSpec, crypto_count: int) -> str:
    """Return the parameters of a portfolio, in a few lines."""
    return "\n".join(
        (
            *_strategies_words(spec.strategies),
            f"one account, {counted(crypto_count, 'crypto')}, {interval_of(spec).value} candles "
            f"{window_words(spec)}",
            places_words(spec),
            execution_words(spec.execution),
        )
    )


def _strategies_words(strategies: Sequence[portfolio_pb2.WeightedStrategy]) -> Iterable[str]:
    for each in strategies:
        weight = f"{percent(each.weight)} " if len(strategies) > 1 else ""
        yield weight + strategy_words(each.strategy)


def places_words(spec: portfolio_pb2.PortfolioSpec) -> str:
    """Return how the account is divided, in one line; fields that are not set are left out."""
    words = []
    if spec.HasField("max_positions"):
        of_each = " of each strategy" if len(spec.strategies) > 1 else ""
        words.append(counted(spec.max_positions, "place") + of_each)
    if spec.size == portfolio_pb2.PORTFOLIO_SIZE_EQUAL:
        words.append("equal shares")
    if spec.HasField("rank"):
        # Imported here, because importing the engine is slow.
        from backcast_engine.rules.text import text
        from services.wire.expressions import expression_from

        words.append(f"higher {text(expression_from(spec.rank, 'rank'))} first")
    if spec.HasField("rebalancing"):
        words.append(f"rebalanced every {counted(spec.rebalancing.every, 'candle')}")
        if spec.rebalancing.threshold:
            words[-1] += f" from {percent(spec.rebalancing.threshold)} deviation on"
    return ", ".join(words)
