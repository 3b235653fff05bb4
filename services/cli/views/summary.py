"""The summary of a run: the distribution over the cryptos, breaks and missing candles."""

from collections.abc import Sequence

from rich.table import Table

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.interval import Interval
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, cell, colored, heading_of
from services.domain.counted import counted

_METRICS = ("total_return", "buy_and_hold_return", "sharpe_ratio", "max_drawdown", "trade_count")
NEVER_TRADED = "[yellow]no crypto traded: the entry was never true, or could never be filled[/yellow]"
_MOST_WITH_BREAKS = 5
# Coverage of the window below which a warning is shown; exchanges' maintenance explains smaller gaps.
_ALL_BUT_GAPS = 0.98


def spread_table(width: int, summary: run_events_pb2.RunSummary) -> Table:
    """Return a table with quantiles over the cryptos and the mean of some metrics, one per row."""
    spread = summary.spread
    columns: dict[str, Metrics] = {
        "5 %": spread.quantile_05,
        "25 %": spread.quantile_25,
        "median": spread.quantile_50,
        "75 %": spread.quantile_75,
        "95 %": spread.quantile_95,
        "mean": summary.mean,
    }
    return fitted_table(
        width,
        [
            TableColumn("of the cryptos", [heading_of(name) for name in _METRICS], left=True),
            *(
                TableColumn(heading, [cell(metrics, name) for name in _METRICS])
                for heading, metrics in columns.items()
            ),
        ],
    )


def summary_lines(summary: run_events_pb2.RunSummary) -> str:
    """Return the rest of the summary of a run as a few lines of text."""
    progress = summary.progress
    elapsed = summary.elapsed.ToTimedelta().total_seconds()
    lines = []
    if progress.completed > 1:
        lines.append(_shares(summary))
        lines.append(
            f"best: {summary.best.symbol} {colored(summary.best.total_return)}, "
            f"worst: {summary.worst.symbol} {colored(summary.worst.total_return)}"
        )
    failed = f", [red]{progress.failed:,} failed[/red]" if progress.failed else ""
    lines.append(
        f"[bold]{progress.completed:,} of {progress.total:,} in {elapsed:.3f} s[/bold], "
        f"{progress.from_cache:,} from the cache{failed}"
    )
    if 0 < progress.completed == summary.cryptos_without_trades:
        lines.append(NEVER_TRADED)
    if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
        lines.append("[yellow]the cache does not answer: results were computed and not kept[/yellow]")
    return "\n".join(lines)


def _shares(summary: run_events_pb2.RunSummary) -> str:
    spread = summary.spread
    gained, beat = (
        f"{getattr(spread, name):.0%}" if spread.HasField(name) else ABSENT
        for name in ("share_gained", "share_beat_holding")
    )
    words = [f"{gained} gained, {beat} beat holding"]
    words += [f"{summary.cryptos_without_trades:,} without a trade"] if summary.cryptos_without_trades else []
    words += [f"{summary.cryptos_with_breaks:,} with breaks"] if summary.cryptos_with_breaks else []
    return ", ".join(words)


def break_lines(results: Sequence[BacktestResult], *, in_parts: bool) -> list[str]:
    """Return lines about the cryptos whose histories have breaks in the window."""
    broken = sorted((result for result in results if result.breaks), key=lambda result: result.symbol)
    lines = [
        f"[yellow]{result.symbol}* breaks on {_days(result)}[/yellow]"
        for result in broken[:_MOST_WITH_BREAKS]
    ]
    if (more := len(broken) - _MOST_WITH_BREAKS) > 0:
        lines.append(f"[yellow]… and {counted(more, 'more crypto')} with breaks, marked with *[/yellow]")
    if lines:
        meaning = (
            "the figures of each part are shown below its crypto"
            if in_parts
            else "positions are closed before a break, and indicators start again after it"
        )
        lines.append(f"[yellow]{meaning}[/yellow]")
    return lines


def _days(result: BacktestResult) -> str:
    days = [f"{one.after_time.ToDatetime():%Y-%m-%d}" for one in result.breaks]
    return " and ".join([", ".join(days[:-1]), days[-1]] if len(days) > 1 else days)


def missing_line(results: Sequence[BacktestResult], interval: Interval) -> str | None:
    """Return a line about the cryptos that miss many hours of the window; None if there are none."""
    covered = [_covered(result, interval) for result in results]
    partly = [one for one in covered if one < _ALL_BUT_GAPS]
    if not partly:
        return None
    return (
        f"[yellow]{len(partly):,} of {len(results):,} have candles only for a part of the window "
        f"(the least: {min(partly):.0%} of its hours)[/yellow]"
    )


def _covered(result: BacktestResult, interval: Interval) -> float:
    hours = interval.seconds // Interval.HOUR_1.seconds
    missing = max(result.coverage.missing_hours, result.coverage.missing_candles * hours)
    return 1 - missing / (result.coverage.expected_candles * hours)
