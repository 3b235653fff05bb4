"""Output of `backcast run`: a table that grows while results arrive, then the summary."""

from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import run_events_pb2
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from backcast_engine.interval import Interval
from services.cli.views.console import CountColumn, say
from services.cli.views.failure_lines import failure_lines, later_line, left_out_line
from services.cli.views.request import interval_of, run_words
from services.cli.views.result_tables import months_table, ranked, results_table, sparkline
from services.cli.views.summary import break_lines, missing_line, spread_table, summary_lines
from services.cli.views.trades_table import trades_table

# Rows on a terminal: a longer table is cut to its best and worst. A file gets all rows.
MOST_ROWS = 30
# Trades and equity of more cryptos are not shown; programs get them by --format jsonl.
_MOST_DETAILED = 3
_MOST_TRADES = 30


class RunScreen:
    """A live screen of a run: pass it every event, in a `with` block.

    If the block ends before the summary, by Ctrl-C or an error, the results so far are printed.
    """

    def __init__(
        self,
        console: Console,
        most_rows: int = MOST_ROWS,
        sort: str = "total_return",
        columns: Sequence[str] | None = None,
    ) -> None:
        """Sort rows by the metric `sort`, best first, and show the metrics `columns`."""
        self._console = console
        self._most_rows = most_rows
        self._sort = sort
        self._columns = columns
        self._interval = Interval.HOUR_1
        self._in_parts = False
        self._ended = False
        self._run_id, self._last = "", 0
        self._results: list[BacktestResult] = []
        self._failures: list[run_events_pb2.RunFailure] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            CountColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("backtesting", total=None, note="")
        self._live = Live(console=console, get_renderable=self._screen, refresh_per_second=12, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._results and not self._ended:
            self._show_results()
            done, total = len(self._results) + len(self._failures), self._progress.tasks[0].total or 0
            say(
                self._console,
                f"[yellow]stopped: {done:,} of {total:,.0f} done; `backcast watch {self._run_id} --after "
                f"{self._last}` continues it[/yellow]",
            )

    def show(self, event: RunBacktestsResponse) -> None:
        """Show an event; the last one, the summary, ends the live screen and prints everything."""
        match event.WhichOneof("event"):
            case "started":
                self._show_started(event.started)
                if self._console.is_terminal:
                    self._live.start(refresh=True)
            case "result":
                self._results.append(event.result)
            case "failure":
                self._failures.append(event.failure)
            case "summary":
                self._live.stop()
                self._ended = True
                self._show_summary(event.summary)
                self._show_results()
        self._last = event.sequence
        progress = event.progress
        notes = [f"{progress.from_cache:,} from the cache"] if progress.from_cache else []
        notes += [f"[red]{progress.failed:,} failed[/red]"] if progress.failed else []
        self._progress.update(
            self._task,
            total=progress.total,
            completed=progress.completed + progress.failed,
            note=", ".join(notes),
        )

    def _show_started(self, started: RunStarted) -> None:
        spec, self._run_id = started.request.spec, started.run_id
        # A run that is resumed later has no such event; hours are the default.
        self._interval = interval_of(spec)
        self._in_parts = spec.execution.break_rule == execution_pb2.BREAK_RULE_SPLIT
        say(self._console, run_words(spec, started.crypto_count))
        for line in (left_out_line(started.left_out), later_line(started.cryptos_with_later_candles)):
            if line:
                say(self._console, line)

    def _screen(self) -> RenderableType:
        room = max(self._console.height - 10, 5)
        best_first = ranked(self._results, self._sort)
        left_out = f"… {len(best_first) - room:,} more …" if len(best_first) > room else ""
        table = results_table(self._console.width, best_first[:room], left_out, columns=self._columns)
        return Group(table, self._progress)

    def _show_summary(self, summary: run_events_pb2.RunSummary) -> None:
        if summary.progress.completed > 1:
            self._console.print(spread_table(self._console.width, summary))
        say(self._console, summary_lines(summary))
        for line in break_lines(self._results, in_parts=self._in_parts):
            say(self._console, line)
        if missing := missing_line(self._results, self._interval):
            say(self._console, missing)

    def _show_results(self) -> None:
        best_first = ranked(self._results, self._sort)
        width = self._console.width
        if self._console.is_terminal and len(best_first) > self._most_rows:
            half = self._most_rows // 2
            left_out = f"… {len(best_first) - 2 * half:,} more …"
            best, worst = best_first[:half], best_first[-half:]
            self._console.print(results_table(width, best, left_out, worst, self._columns))
        elif best_first:
            self._console.print(results_table(width, best_first, columns=self._columns))
        if len(best_first) <= _MOST_DETAILED:
            for result in best_first:
                self._show_detail(result)
        for line in failure_lines((failure.symbol, failure.status.message) for failure in self._failures):
            say(self._console, line)

    def _show_detail(self, result: BacktestResult) -> None:
        width = self._console.width
        if result.trades:
            last = result.trades[-_MOST_TRADES:]
            self._console.print(trades_table(width, result.symbol, last, len(result.trades)))
        if result.monthly_returns:
            self._console.print(months_table(width, result.symbol, result.monthly_returns))
        if result.equity_curve.equity:
            equity = list(result.equity_curve.equity)
            say(self._console, sparkline(width, f"equity of {result.symbol}", equity))
