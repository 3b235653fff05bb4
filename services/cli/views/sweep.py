"""Output of `backcast sweep`: progress and the best so far, then the summary and the tables."""

from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from backcast.gateway.v1 import run_events_pb2, sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsResponse, SweepStarted
from services.cli.views.best_rows import BestRows
from services.cli.views.console import CountColumn, say
from services.cli.views.failure_lines import failure_lines, later_line, left_out_line
from services.cli.views.metric_cells import heading_of, metric_of
from services.cli.views.summary import NEVER_TRADED
from services.cli.views.sweep_request import started_words
from services.cli.views.sweep_tables import SweepTables
from services.cli.views.sweep_values import dimensions_of
from services.cli.views.sweep_words import overfitting_words, selection_bias_words, walk_forward_words
from services.domain.counted import counted

_MOST_ROWS = 20


class SweepScreen:
    """A live screen of a sweep: pass it every event, in a `with` block.

    If the block ends before the summary, by Ctrl-C or an error, the best trials so far are printed.
    """

    def __init__(self, console: Console, columns: Sequence[str] | None = None) -> None:
        """Show the metrics `columns` in addition to the one ranked by; None: the default ones."""
        self._console = console
        self._columns = columns
        self._started: SweepStarted | None = None
        self._ended = False
        self._best: list[sweep_pb2.SweepTrial] = []
        self._failures: list[sweep_pb2.SweepFailure] = []
        self._curves: list[sweep_pb2.OutOfSample] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            CountColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("backtesting", total=0, note="")
        self._live = Live(console=console, get_renderable=self._screen, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._ended:
            return
        self._show_failures()
        if self._best:
            self._console.print(self._tables.best(self._console.width, self._best))
            task = self._progress.tasks[0]
            say(
                self._console,
                f"[yellow]stopped: {task.completed:,.0f} of {task.total or 0:,.0f} backtests done[/yellow]",
            )

    def show(self, event: SweepBacktestsResponse) -> None:
        """Show an event; the last one, the summary, ends the live screen and prints everything."""
        match event.WhichOneof("event"):
            case "started":
                self._show_started(event.started)
            case "progress":
                self._show_progress(event.progress)
            case "best":
                self._best = list(event.best.trials)
            case "failure":
                self._failures.append(event.failure)
            case "rows":
                self._rows.add(event.rows.rows)
            case "out_of_sample":
                self._curves.append(event.out_of_sample)
            case "summary":
                self._live.stop()
                self._ended = True
                self._show_summary(event.summary)

    def _show_started(self, started: SweepStarted) -> None:
        self._started = started
        request = started.request
        self._metric, self._min_trades = metric_of(request.metric), request.min_trades
        self._tables = SweepTables(
            dimensions_of(request),
            self._metric,
            cut=request.WhichOneof("cut") is not None,
            folds=request.fold_count,
            columns=self._columns,
        )
        self._rows = BestRows(self._metric, request.best_trial_count, request.min_trades)
        say(self._console, started_words(started))
        for line in (left_out_line(started.left_out), later_line(started.cryptos_with_later_candles)):
            if line:
                say(self._console, line)
        self._progress.update(self._task, total=started.backtest_count)
        if self._console.is_terminal:
            self._live.start(refresh=True)

    def _show_progress(self, progress: sweep_pb2.SweepProgress) -> None:
        notes = [f"{progress.from_cache:,} from the cache"] if progress.from_cache else []
        notes += [f"[red]{progress.failed:,} failed[/red]"] if progress.failed else []
        done = progress.completed + progress.failed
        self._progress.update(self._task, total=progress.total, completed=done, note=", ".join(notes))

    def _show_failures(self) -> None:
        for line in failure_lines(
            (
                failure.symbol,
                f"failed in {counted(failure.backtest_count, 'backtest')}, "
                f"first because {failure.status.message}",
            )
            for failure in self._failures
        ):
            say(self._console, line)

    def _screen(self) -> RenderableType:
        best = (
            [self._tables.best(self._console.width, self._best[: max(self._console.height - 10, 3)])]
            if self._best
            else []
        )
        return Group(*best, self._progress)

    def _show_rows(self) -> None:
        rows = self._rows.best()
        say(self._console, "")
        self._console.print(self._tables.combinations(self._console.width, rows))
        if any(map(self._rows.is_sparse, rows)):
            say(
                self._console,
                f"[dim]listed last: combinations whose {heading_of(self._metric)} is defined on fewer than "
                "half of the cryptos[/dim]",
            )
        if any(map(self._rows.trades_too_little, rows)):
            say(
                self._console,
                "[dim]listed last: combinations without a rank, with a median of fewer than "
                f"{counted(self._min_trades, 'trade')}[/dim]",
            )
        if (more := self._rows.count - len(rows)) > 0:
            say(
                self._console,
                f"[dim]… and {counted(more, 'more combination')}: --top shows more, "
                "--format jsonl prints all[/dim]\n",
            )

    def _show_summary(self, summary: sweep_pb2.SweepSummary) -> None:
        """Show the verdict on the winner, then the combinations, then the best single cryptos."""
        assert self._started
        self._show_counts(summary)
        if not self._best:
            say(self._console, f"no trial has a rank by {heading_of(self._metric)}")
            if not self._rows.has_trades and not self._started.request.fold_count:
                say(self._console, NEVER_TRADED)
        elif summary.HasField("selection_bias"):
            say(self._console, selection_bias_words(summary, self._metric))
        if self._started.request.WhichOneof("cut") and self._best and not summary.winner.test.ListFields():
            say(
                self._console,
                f"[yellow]{summary.winner.symbol}, the winner, has no result in the test part[/yellow]",
            )
        if summary.HasField("walk_forward"):
            self._show_walk_forward(summary)
        if summary.HasField("overfitting"):
            say(self._console, overfitting_words(summary.overfitting))
        self._show_failures()
        self._show_rows()
        if self._best:
            self._console.print(self._tables.best(self._console.width, self._best))
        if self._curves:
            self._show_curves()

    def _show_counts(self, summary: sweep_pb2.SweepSummary) -> None:
        progress = summary.progress
        elapsed = summary.elapsed.ToTimedelta().total_seconds()
        failed = f", [red]{progress.failed:,} failed[/red]" if progress.failed else ""
        say(
            self._console,
            f"[bold]{progress.completed:,} of {progress.total:,} backtests in {elapsed:.3f} s[/bold], "
            f"{progress.from_cache:,} from the cache{failed}",
        )
        if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
            say(
                self._console,
                "[yellow]the cache does not answer: figures were computed and not kept[/yellow]",
            )

    def _show_walk_forward(self, summary: sweep_pb2.SweepSummary) -> None:
        walk = summary.walk_forward
        say(self._console, "")
        self._console.print(self._tables.folds(self._console.width, walk.folds))
        say(self._console, "means over the folds of the tests' medians over the cryptos:")
        say(self._console, self._tables.figures(walk.mean_test))
        for line in walk_forward_words(walk, self._console.width):
            say(self._console, line)
        # Holding is defined for every result.
        without = sum(not curve.metrics.HasField("buy_and_hold_return") for curve in self._curves)
        if without:
            some = f"{without:,} of {counted(len(self._curves), 'crypto')}"
            does = "has no result, and counts" if without == 1 else "have no result, and count"
            say(self._console, f"[yellow]{some} {does} as 0[/yellow]")

    def _show_curves(self) -> None:
        best_first = sorted(self._curves, key=lambda curve: (-curve.metrics.total_return, curve.symbol))
        self._console.print(self._tables.out_of_sample(self._console.width, best_first[:_MOST_ROWS]))
        if (more := len(best_first) - _MOST_ROWS) > 0:
            say(self._console, f"[dim]… and {counted(more, 'more crypto')}: --format jsonl prints all[/dim]")
