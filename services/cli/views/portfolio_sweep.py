"""Output of `backcast sweep-portfolio`: progress, then the verdict on the winner and the best accounts."""

from collections.abc import Iterator, Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from backcast.backtest.v1.execution_pb2 import Execution
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.interval import Interval
from services.cli.views.console import CountColumn, say
from services.cli.views.failure_lines import later_line, left_out_line
from services.cli.views.fitted_table import Column, fitted_table
from services.cli.views.metric_cells import cell, heading_of, metric_of
from services.cli.views.portfolio import places_words
from services.cli.views.request import execution_words, percent, strategy_words
from services.cli.views.sweep_values import Dimension, range_dimensions
from services.cli.views.sweep_words import bias_words, range_words
from services.domain.counted import counted

_METRICS = ("total_return", "sharpe_ratio", "max_drawdown", "trade_count")
_SIZES = ("equity_fraction", "quote_amount", "volatility_target")
_MOST_FAILURES = 5


class PortfolioSweepView:
    """A live progress bar of a sweep over portfolios: pass it every event, in a `with` block.

    If the block ends before the summary, by Ctrl-C or an error, the best so far are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: pb.PortfolioSweepStarted | None = None
        self._best: Sequence[pb.PortfolioSweepRow] = ()
        self._failed: list[pb.PortfolioSweepRow] = []
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
                self._failed += [row for row in event.rows.rows if row.HasField("failure")]
            case "summary":
                self._live.stop()
                self._ended = True
                self._show_summary(event.summary)

    def _show_started(self, started: pb.PortfolioSweepStarted) -> None:
        self._started = started
        say(self._console, "\n".join(_started_words(started)))
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
        for row in self._failed[:_MOST_FAILURES]:
            say(self._console, f"[red]combination {row.combination}: {row.failure.message}[/red]")
        metric = metric_of(self._started.request.metric)
        if not self._best:
            say(self._console, f"no combination has a rank by {heading_of(metric)}")
            return
        say(self._console, bias_words(summary.selection_bias, summary.winner.train, metric))
        self._console.print(self._table())
        if (more := self._started.combination_count - len(self._best)) > 0:
            say(
                self._console,
                f"[dim]… and {counted(more, 'more combination')}: --top shows more, "
                "--format jsonl prints all[/dim]",
            )

    def _table(self) -> Table:
        assert self._started
        request, best = self._started.request, self._best
        metric = metric_of(request.metric)
        metrics = [metric, *(name for name in _METRICS if name != metric)]
        columns = [Column("", [str(number) for number in range(1, len(best) + 1)], left=True)]
        for place, dimension in enumerate(_dimensions(request)):
            if len(dimension.values) > 1:
                cells = [dimension.values[row.value_indexes[place]] for row in best]
                columns.append(Column(dimension.name, cells))
        parts = [("", [row.train for row in best])]
        if request.HasField("split"):
            parts.append(("test ", [row.test for row in best]))
        for prefix, figures in parts:
            for order, name in enumerate(metrics):
                # The metric ranked by is never left out.
                left_out = 2 * (len(metrics) - order) - (1 if prefix else 0) if order else 0
                cells = [cell(each, name) for each in figures]
                columns.append(Column(f"{prefix}{heading_of(name)}", cells, left_out))
        return fitted_table(self._console.width, columns, "the best accounts")


def _started_words(started: pb.PortfolioSweepStarted) -> Iterator[str]:
    request, spec = started.request, PortfolioSpec()
    spec.CopyFrom(request.spec)
    # What has several values is named with these.
    swept = {one.name for one in request.portfolio_ranges} | {one.name for one in request.execution_ranges}
    for name in swept & set(PortfolioSpec.DESCRIPTOR.fields_by_name):
        spec.ClearField(name)  # type: ignore[arg-type]  # a field's name
    for each in spec.strategies:
        kind = getattr(each.strategy, each.strategy.WhichOneof("kind") or "")
        for one in request.ranges:
            if one.name in kind.DESCRIPTOR.fields_by_name:
                kind.ClearField(one.name)
        weight = f"{percent(each.weight)} " if len(spec.strategies) > 1 else ""
        yield weight + strategy_words(each.strategy).rstrip()
    yield f"sweeping {'; '.join(map(range_words, _dimensions(request)))}"
    start, end = (
        time.ToDatetime().strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
        for time in (spec.start_time, spec.end_time)
    )
    skipped = ""
    if count := started.skipped_combination_count:
        skipped = f" ({count:,} more {'conflicts' if count == 1 else 'conflict'})"
    cut = f", the first {percent(request.split)} to rank by, the rest to test" if request.split else ""
    yield (
        f"{counted(started.combination_count, 'combination')}{skipped}, each one account of "
        f"{counted(started.crypto_count, 'crypto')}, {tuple(Interval)[spec.interval - 1].value} candles from "
        f"{start} to {end} (UTC){cut}"
    )
    if places := places_words(spec):
        yield places
    yield execution_words(_fixed_execution(request))


def _fixed_execution(request: pb.SweepPortfoliosRequest) -> Execution:
    """Return the execution without stops and size that have ranges, which are named with their values."""
    execution = Execution()
    execution.CopyFrom(request.spec.execution)
    for one in request.execution_ranges:
        for name in _SIZES if one.name == "size" else (one.name,):
            execution.ClearField(name)  # type: ignore[arg-type]  # a field's name
    return execution


def _dimensions(request: pb.SweepPortfoliosRequest) -> list[Dimension]:
    """Return the dimensions of a sweep, in the order of a combination's `value_indexes`."""
    own = [
        Dimension(one.name.replace("_", " "), tuple(_own_words(one.name, value) for value in one.values))
        for one in request.portfolio_ranges
    ]
    of_ranges = range_dimensions(request.ranges, request.execution_ranges)
    return [_with_equal_shares(one) if one.name == "size" else one for one in of_ranges] + own


def _with_equal_shares(sizes: Dimension) -> Dimension:
    """Return sizes in words: where the execution names none, a portfolio has equal shares."""
    return Dimension(sizes.name, tuple("equal" if size == "100%" else size for size in sizes.values))


def _own_words(name: str, value: PortfolioSpec) -> str:
    if not value.ListFields():
        return "default" if name in ("max_positions", "size") else "none"
    if name == "rank":
        # Imported here, because importing the engine is slow.
        from backcast_engine.rules.text import text
        from services.wire.expressions import expression_from

        return text(expression_from(value.rank, "rank"))
    if name == "rebalancing":
        threshold = value.rebalancing.threshold
        return f"every {value.rebalancing.every}" + (f" from {percent(threshold)} on" if threshold else "")
    return f"{value.max_positions}" if name == "max_positions" else ("", "equal", "execution")[value.size]
