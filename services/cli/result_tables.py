"""Results as people read them."""

import calendar
import math
from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics, MonthlyReturn
from backcast.gateway.v1 import run_events_pb2
from services.cli.fitted_table import Column, fitted_table

_ROOM_FOR_TENTHS = 100
ABSENT = "[dim]–[/dim]"
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARKLINE_WIDTH = 60


def ranked(results: list[BacktestResult]) -> list[BacktestResult]:
    """Return the results, the greatest total return first."""
    return sorted(results, key=lambda result: result.metrics.total_return, reverse=True)


def results_table(
    width: int, best: list[BacktestResult], between: str = "", worst: Sequence[BacktestResult] = ()
) -> Table:
    """Return a table with a row for each result, and a line between the best and the worst.

    `width` is the console's, in characters: it decides how many columns there are.
    """
    gap = [None] if between else []
    rows: list[BacktestResult | None] = [*best, *gap, *worst]
    columns = [
        Column("crypto", [row.symbol if row else f"[dim]{between}[/dim]" for row in rows], left=True),
        *(
            Column(heading, [show(row.metrics) if row else "" for row in rows], _LEFT_OUT.get(heading, 0))
            for heading, show in _COLUMNS.items()
        ),
        # How many they are is told by the summary too.
        Column("", ["cached" if row and row.from_cache else "" for row in rows], 6, left=True, style="dim"),
    ]
    return fitted_table(width, columns)


def months_table(width: int, symbol: str, months: Sequence[MonthlyReturn]) -> Table:
    """Return a table of a row for each year: its months' returns in percent, and what they make of it."""
    form = "{:+z.1f}" if width >= _ROOM_FOR_TENTHS else "{:+z.0f}"
    table = Table(
        title=f"monthly returns of {symbol}, percent",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in ("", *calendar.month_abbr[1:], "year"):
        table.add_column(heading, justify="right", no_wrap=True)
    returns = {
        (one.year, one.month): one.return_fraction if one.HasField("return_fraction") else None
        for one in months
    }
    for year in sorted({one.year for one in months}):
        of_year = [returns[year, month] for month in range(1, 13) if (year, month) in returns]
        total = (
            None if None in of_year else math.prod(1 + value for value in of_year if value is not None) - 1
        )
        cells = [
            _percent_cell(returns[year, month], form) if (year, month) in returns else ""
            for month in range(1, 13)
        ]
        table.add_row(str(year), *cells, _percent_cell(total, form))
    return table


def _percent_cell(value: float | None, form: str) -> str:
    return ABSENT if value is None else colored(value, form.format(100 * value))


def sparkline(width: int, title: str, values: Sequence[float]) -> str:
    """Return a curve in one line of `width` characters at most, from its lowest to its highest value."""
    low, high = min(values), max(values)
    before, after = f"{title}: {low:,.0f} ", f" {high:,.0f}"
    room = max(min(width - len(before) - len(after), _SPARKLINE_WIDTH), 1)
    step = max(len(values) / room, 1)
    shown = [values[int(index * step)] for index in range(int(len(values) / step))]
    height = (high - low) or 1
    line = "".join(_SPARKS[round((value - low) / height * (len(_SPARKS) - 1))] for value in shown)
    return f"{before}{line}{after}"


def summary_lines(summary: run_events_pb2.RunSummary) -> str:
    """Return the summary of a run as a few lines of text."""
    progress = summary.progress
    elapsed = summary.elapsed.ToTimedelta().total_seconds()
    lines = []
    for name, metrics in (("mean", summary.mean), ("median", summary.median)):
        if progress.completed:
            lines.append(
                f"{name:>6}: return {_signed_percent(metrics, 'total_return')}, "
                f"hold {_signed_percent(metrics, 'buy_and_hold_return')}, "
                f"Sharpe {_number(metrics, 'sharpe_ratio', '{:z.2f}')}, "
                f"drawdown {_number(metrics, 'max_drawdown', '{:.1%}')}, "
                f"trades {_number(metrics, 'trade_count', '{:.1f}')}"
            )
    if progress.completed > 1:
        lines.append(
            f"  best: {summary.best.symbol} {colored(summary.best.total_return)}, "
            f"worst: {summary.worst.symbol} {colored(summary.worst.total_return)}"
        )
    failed = f", [red]{progress.failed:,} failed[/red]" if progress.failed else ""
    lines.append(
        f"[bold]{progress.completed:,} of {progress.total:,} in {elapsed:.3f} s[/bold], "
        f"{progress.from_cache:,} from the cache{failed}"
    )
    if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
        lines.append("[yellow]the cache does not answer: results were computed and not kept[/yellow]")
    return "\n".join(lines)


def _number(metrics: Metrics, name: str, form: str) -> str:
    return form.format(getattr(metrics, name)) if metrics.HasField(name) else ABSENT  # type: ignore[arg-type]  # names of its fields


def _signed_percent(metrics: Metrics, name: str) -> str:
    return colored(getattr(metrics, name)) if metrics.HasField(name) else ABSENT  # type: ignore[arg-type]  # names of its fields


def colored(value: float, text: str | None = None) -> str:
    """Return a number as text, in percent where none is given: red where it shows a minus, else green."""
    # z: never "-0.0%".
    shown = text or f"{value:+z.1%}"
    return f"[{'red' if shown.startswith('-') else 'green'}]{shown}[/]"


_COLUMNS: dict[str, Callable[[Metrics], str]] = {
    "return": lambda metrics: _signed_percent(metrics, "total_return"),
    "hold": lambda metrics: _signed_percent(metrics, "buy_and_hold_return"),
    "Sharpe": lambda metrics: _number(metrics, "sharpe_ratio", "{:z.2f}"),
    "drawdown": lambda metrics: _number(metrics, "max_drawdown", "{:.1%}"),
    "wins": lambda metrics: _number(metrics, "win_rate", "{:.0%}"),
    "trades": lambda metrics: f"{metrics.trade_count:,.0f}" + ("+1" if metrics.open_trade_count else ""),
    "fees": lambda metrics: _number(metrics, "fees_paid", "{:,.2f}"),
    "CAGR": lambda metrics: _signed_percent(metrics, "cagr"),
    "Sortino": lambda metrics: _number(metrics, "sortino_ratio", "{:z.2f}"),
    "exposure": lambda metrics: _number(metrics, "exposure", "{:.0%}"),
    "best": lambda metrics: _signed_percent(metrics, "best_trade"),
    "worst": lambda metrics: _signed_percent(metrics, "worst_trade"),
}
# What is left out first where there is no room; 6 is whether a result was cached.
_LEFT_OUT = {"worst": 1, "best": 2, "exposure": 3, "Sortino": 4, "CAGR": 5, "fees": 7, "wins": 8, "hold": 9}
