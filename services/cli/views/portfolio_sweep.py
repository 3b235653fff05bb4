"""Output of `backcast sweep-portfolio`: progress, then the verdict on the winner and the best accounts."""

from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from services.cli.views.console import CountColumn, say
from services.cli.views.failure_lines import later_line, left_out_line
from services.cli.views.metric_cells import heading_of, metric_of
from services.cli.views.portfolio_sweep_tables import ACCOUNTS, accounts_table, failed_lines, folds_table
from services.cli.views.sweep_request import portfolios_words
from services.cli.views.sweep_words import bias_words, walk_forward_words
from services.domain.counted import counted


class PortfolioSweepScreen:
    """A live progress bar of a sweep over portfolios: pass it every event, in a `with` block.

    If the block ends before the summary, by Ctrl-C or an error, the best so far are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: pb.PortfolioSweepStarted | None = None
        self._best: Sequence[pb.PortfolioSweepRow] = ()
        self._failed: list[pb.PortfolioSweepRow] = []
        self._row_count = 0
        self._ended = False
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            CountColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("trading portfolios", total=None)
        self._live = Live(self._progress, console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._best and not self._ended:
            self._console.print(self._table())
            task = self._progress.tasks[0]
            done = f"{task.completed:,.0f} of {task.total or 0:,.0f} portfolios done"
            say(self._console, f"[yellow]stopped: {done}[/yellow]")

    def show(self, event: pb.SweepPortfoliosResponse) -> None:
        """Show an event; the last one, the summary, ends the progress bar and prints everything."""
        match event.WhichOneof("event"):
            case "started":
                self._show_started(event.started)
            case "progress":
                done = event.progress.completed + event.progress.failed
                self._progress.update(self._task, total=event.progress.total, completed=done)
            case "best":
                self._best = event.best.rows
            case "rows":
                self._row_count += len(event.rows.rows)
                self._failed += [row for row in event.rows.rows if row.HasField("failure")]
            case "summary":
                self._live.stop()
                self._ended = True
                self._show_summary(event.summary)

    def _show_started(self, started: pb.PortfolioSweepStarted) -> None:
        self._started = started
        say(self._console, portfolios_words(started))
        for line in (left_out_line(started.left_out), later_line(started.cryptos_with_later_candles)):
            if line:
                say(self._console, line)
        if self._console.is_terminal:
            self._live.start(refresh=True)

    def _show_summary(self, summary: pb.PortfolioSweepSummary) -> None:
        assert self._started
        progress, elapsed = summary.progress, summary.elapsed.ToTimedelta().total_seconds()
        failed = f", [red]{progress.failed:,} failed[/red]" if progress.failed else ""
        say(
            self._console,
            f"[bold]{progress.completed:,} of {counted(progress.total, 'portfolio')} in {elapsed:.3f} s"
            f"[/bold], {progress.from_cache:,} from the cache{failed}",
        )
        if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
            say(
                self._console,
                "[yellow]the cache does not answer: results were computed and not kept[/yellow]",
            )
        for line in failed_lines(self._failed):
            say(self._console, line)
        metric = metric_of(self._started.request.metric)
        if not self._best:
            say(self._console, f"no combination has a rank by {heading_of(metric)}")
        elif summary.HasField("selection_bias"):
            say(self._console, bias_words(summary.selection_bias, summary.winner.train, metric))
        if summary.HasField("walk_forward"):
            walk, width = summary.walk_forward, self._console.width
            say(self._console, "")
            self._console.print(folds_table(width, self._started.request, walk))
            for line in walk_forward_words(walk, width, ACCOUNTS):
                say(self._console, line)
        if not self._best:
            return
        say(self._console, "")
        self._console.print(self._table())
        if (more := self._row_count - len(self._best)) > 0:
            say(
                self._console,
                f"[dim]… and {counted(more, 'more combination')}: --top shows more, "
                "--format jsonl prints all[/dim]",
            )

    def _table(self) -> Table:
        assert self._started
        return accounts_table(self._console.width, self._started.request, self._best)
