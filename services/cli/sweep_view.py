"""What `backcast sweep` shows: progress and the best so far, then the tables and what they are worth."""

from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import run_events_pb2, sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import (
    SweepBacktestsRequest,
    SweepBacktestsResponse,
    SweepStarted,
)
from services.cli.console import say
from services.cli.request_view import execution_words, strategy_words
from services.cli.sweep_tables import SweepTables, heading_of
from services.shared.interval import Interval

_MOST_ROWS = 20
_MOST_FAILURES = 10
_MOST_VALUES = 6
# Of these, the smallest value is the best, as the API says.
_SMALLEST_IS_BEST = ("max_drawdown", "annual_volatility", "fees_paid", "borrow_paid")


class SweepView:
    """The state of the screen: feed it every event of a sweep, in a `with` block.

    A block that ends before the summary came, by Ctrl-C or an error, still prints the best so far.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: SweepStarted | None = None
        self._ended = False
        self._best: list[sweep_pb2.SweepTrial] = []
        self._rows: list[sweep_pb2.SweepRow] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
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
        if self._best and not self._ended:
            self._console.print(self._tables.best(self._console.width, self._best))
            task = self._progress.tasks[0]
            say(
                self._console,
                f"[yellow]stopped: {task.completed:,.0f} of {task.total or 0:,.0f} backtests done[/yellow]",
            )

    def show(self, event: SweepBacktestsResponse) -> None:
        """Take an event in; the last one, the summary, ends the live screen and prints everything."""
        match event.WhichOneof("event"):
            case "started":
                self._show_started(event.started)
            case "progress":
                self._show_progress(event.progress)
            case "best":
                self._best = list(event.best.trials)
            case "failure":
                self._show_failure(event.failure)
            case "rows":
                self._keep(list(event.rows.rows))
            case "summary":
                self._live.stop()
                self._ended = True
                self._show_summary(event.summary)

    def _show_started(self, started: SweepStarted) -> None:
        self._started = started
        request = started.request
        self._metric = request.metric
        self._failures_shown = 0
        self._tables = SweepTables(
            [one.name for one in request.ranges], request.metric, cut=request.WhichOneof("cut") is not None
        )
        interval = tuple(Interval)[request.interval - 1].value
        start, end = (
            time.ToDatetime().strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
            for time in (request.start_time, request.end_time)
        )
        skipped = f" ({started.skipped:,} more conflict)" if started.skipped else ""
        cryptos = "crypto" if len(request.symbols) == 1 else "cryptos"
        say(
            self._console,
            f"{_fixed_words(request)}sweeping {'; '.join(map(_range_words, request.ranges))}\n"
            f"{started.combinations:,} combinations{skipped} × {len(request.symbols)} {cryptos}, "
            f"{interval} candles from {start} to {end} (UTC){_cut_words(started)}\n"
            f"{execution_words(request.execution)}",
        )
        self._progress.update(self._task, total=started.backtests)
        if self._console.is_terminal:
            self._live.start(refresh=True)

    def _show_progress(self, progress: sweep_pb2.SweepProgress) -> None:
        notes = [f"{progress.from_cache:,} from the cache"] if progress.from_cache else []
        notes += [f"[red]{progress.failed:,} failed[/red]"] if progress.failed else []
        done = progress.completed + progress.failed
        self._progress.update(self._task, total=progress.total, completed=done, note=", ".join(notes))

    def _show_failure(self, failure: sweep_pb2.SweepFailure) -> None:
        self._failures_shown += 1
        if self._failures_shown <= _MOST_FAILURES:
            backtests = "backtest" if failure.backtests == 1 else "backtests"
            say(
                self._console,
                f"[red]{failure.symbol}[/red]: {failure.backtests:,} {backtests} failed, the first because "
                f"{escape(failure.status.message)}",
            )

    def _screen(self) -> RenderableType:
        best = (
            [self._tables.best(self._console.width, self._best[: max(self._console.height - 10, 3)])]
            if self._best
            else []
        )
        return Group(*best, self._progress)

    def _keep(self, rows: list[sweep_pb2.SweepRow]) -> None:
        """Keep the rows that are shown: of a million, none but the best.

        Those whose metric is defined on few cryptos say little, and come last.
        """
        assert self._started
        half = len(self._started.request.symbols) / 2
        sign = 1 if self._metric in _SMALLEST_IS_BEST else -1

        def rank(row: sweep_pb2.SweepRow) -> tuple[bool, bool, float]:
            median = row.train.median
            there = median.HasField(self._metric)  # type: ignore[arg-type]  # a field's name
            return not there, row.cryptos < half, sign * getattr(median, self._metric)

        self._rows = sorted([*self._rows, *rows], key=rank)[:_MOST_ROWS]

    def _show_summary(self, summary: sweep_pb2.SweepSummary) -> None:
        assert self._started
        if self._failures_shown > _MOST_FAILURES:
            say(self._console, f"[red]… and of {self._failures_shown - _MOST_FAILURES} more cryptos[/red]")
        if self._best:
            self._console.print(self._tables.best(self._console.width, self._best))
        self._console.print(self._tables.combinations(self._console.width, self._rows))
        if (more := self._started.combinations - len(self._rows)) > 0:
            say(self._console, f"[dim]… and {more:,} more combinations: --format jsonl prints all[/dim]\n")
        if summary.HasField("walk_forward"):
            self._console.print(self._tables.folds(self._console.width, summary.walk_forward.folds))
            say(
                self._console,
                f"mean of the tests: {self._tables.figures(summary.walk_forward.mean_test)}",
            )
        if summary.HasField("luck"):
            say(self._console, luck_words(summary))
        elif not self._best:
            say(self._console, f"{heading_of(self._metric)} is undefined for every trial")
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


def luck_words(summary: sweep_pb2.SweepSummary) -> str:
    """Return what the winner is worth, in words."""
    luck, winner = summary.luck, summary.winner.train
    trials = f"the winner was chosen from {luck.trials:,} {'trial' if luck.trials == 1 else 'trials'}"
    if not (luck.HasField("expected_maximum_sharpe_ratio") and winner.HasField("sharpe_ratio")):
        return f"{trials}: too few to tell luck from skill"
    words = (
        f"{trials}: the best of so many without any skill is expected to have a Sharpe ratio of "
        f"[bold]{luck.expected_maximum_sharpe_ratio:.2f}[/bold], the winner has "
        f"[bold]{winner.sharpe_ratio:.2f}[/bold]"
    )
    if luck.HasField("deflated_sharpe_ratio"):
        probability = luck.deflated_sharpe_ratio
        colour = "green" if probability >= 0.95 else "red"
        words += (
            f"\ndeflated Sharpe ratio [{colour}]{probability:.3f}[/{colour}]: the probability that this is "
            f"more than luck"
        )
    return words


def _fixed_words(request: SweepBacktestsRequest) -> str:
    """Return the strategy with those of its parameters that are not swept."""
    strategy = Strategy()
    strategy.CopyFrom(request.strategy)
    kind = getattr(strategy, strategy.WhichOneof("kind") or "")
    for one in request.ranges:
        kind.ClearField(one.name)
    return f"{strategy_words(strategy).rstrip()}, "


def _range_words(one: ParameterRange) -> str:
    values = [value.string_value or f"{value.number_value:g}" for value in one.values]
    shown = values if len(values) <= _MOST_VALUES else [*values[:2], "…", values[-1]]
    return f"{one.name} {', '.join(shown)}"


def _cut_words(started: SweepStarted) -> str:
    match started.request.WhichOneof("cut"):
        case "split":
            return f", the first {started.request.split:.0%} to rank by, the rest to test"
        case "folds":
            return f", a walk forward of {started.request.folds} folds"
    return ""
