"""Tables and curves of results."""

import calendar
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics, MonthlyReturn
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, cell, colored, heading_of
from services.domain.metric_order import SMALLEST_IS_BEST, ZERO_WITHOUT_TRADES

_ROOM_FOR_TENTHS = 100
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARKLINE_WIDTH, _SHORTEST_SPARKLINE = 60, 20


def ranked(results: Sequence[BacktestResult], metric: str = "total_return") -> list[BacktestResult]:
    """Return the results sorted by a metric, best first; results for which it is undefined come last.

    As in the summary, the ratios of a crypto without a trade count as 0.
    """
    sign = 1 if metric in SMALLEST_IS_BEST else -1

    def place(result: BacktestResult) -> tuple[bool, float, str]:
        there = result.metrics.HasField(metric)  # type: ignore[arg-type]  # a field's name
        trades = result.metrics.trade_count + result.metrics.open_trade_count
        counts = there or (metric in ZERO_WITHOUT_TRADES and not trades)
        # An absent figure reads as 0.
        return not counts, sign * getattr(result.metrics, metric), result.symbol

    return sorted(results, key=place)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table of results; without metrics, a line of text between other rows."""

    label: str
    metrics: Metrics | None = None
    cached: bool = False


def results_table(
    width: int,
    best: Sequence[BacktestResult],
    between: str = "",
    worst: Sequence[BacktestResult] = (),
    columns: Sequence[str] | None = None,
) -> Table:
    """Return a table with a row for each result, and a line between the best and the worst.

    `width` is the console's, in characters, and limits the columns. With `columns`, only these metrics are
    shown. A crypto with breaks is marked with a star, and followed by the rows of its parts.
    """
    gap = [_Row(f"[dim]{between}[/dim]")] if between else []
    rows = [*_rows(best), *gap, *_rows(worst)]
    shown = _COLUMNS if columns is None else {name: _column(name) for name in columns}
    cells = [
        TableColumn(
            heading,
            [show(row.metrics) if row.metrics else "" for row in rows],
            _LEFT_OUT.get(name, 0) if columns is None else 0,
        )
        for name, (heading, show) in shown.items()
    ]
    return fitted_table(
        width,
        [
            TableColumn("crypto", [row.label for row in rows], left=True),
            *cells,
            # The summary says how many results are cached, too.
            TableColumn("", ["cached" if row.cached else "" for row in rows], 6, left=True, style="dim"),
        ],
    )


def _rows(results: Iterable[BacktestResult]) -> Iterator[_Row]:
    for result in results:
        yield _Row(f"{result.symbol}{'*' if result.breaks else ''}", result.metrics, result.from_cache)
        for part in result.parts:
            first, last = part.first_candle_time.ToDatetime(), part.last_candle_time.ToDatetime()
            yield _Row(f"[dim]  {first:%Y-%m-%d} – {last:%Y-%m-%d}[/dim]", part.metrics)


def _column(name: str) -> tuple[str, Callable[[Metrics], str]]:
    """Return the heading and the cell function of a metric, also of one that is not shown by default."""
    return _COLUMNS.get(name) or (heading_of(name), lambda metrics: cell(metrics, name))


def months_table(width: int, symbol: str, months: Sequence[MonthlyReturn]) -> Table:
    """Return a table with a row for each year: the returns of its months and of the year, in percent."""
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
    """Return a curve between its first and last value, in lines of at most `width` characters.

    The lowest and the highest value follow it, on a line of their own if the curve would be too short.
    """
    low, high = min(values), max(values)
    before = f"{title}: {values[0]:,.0f} "
    after, extremes = f" {values[-1]:,.0f}", f" (lowest {low:,.0f}, highest {high:,.0f})"
    room = width - len(before) - len(after)
    if room - len(extremes) >= _SHORTEST_SPARKLINE:
        room -= len(extremes)
    else:
        extremes = f"\n {extremes}"
    room = max(min(room, _SPARKLINE_WIDTH), 1)
    count = min(room, len(values))
    shown = [values[index * (len(values) - 1) // max(count - 1, 1)] for index in range(count)]
    height = (high - low) or 1
    line = "".join(_SPARKS[round((value - low) / height * (len(_SPARKS) - 1))] for value in shown)
    return f"{before}{line}{after}{extremes}"


def _number(metrics: Metrics, name: str, form: str) -> str:
    return form.format(getattr(metrics, name)) if metrics.HasField(name) else ABSENT  # type: ignore[arg-type]  # names of its fields


_COLUMNS: dict[str, tuple[str, Callable[[Metrics], str]]] = {
    "total_return": ("return", lambda metrics: cell(metrics, "total_return")),
    "buy_and_hold_return": ("hold", lambda metrics: cell(metrics, "buy_and_hold_return")),
    "sharpe_ratio": ("Sharpe", lambda metrics: cell(metrics, "sharpe_ratio")),
    "max_drawdown": ("drawdown", lambda metrics: cell(metrics, "max_drawdown")),
    "win_rate": ("wins", lambda metrics: _number(metrics, "win_rate", "{:.0%}")),
    "trade_count": (
        "trades",
        lambda metrics: f"{metrics.trade_count:,.0f}" + ("+1" if metrics.open_trade_count else ""),
    ),
    "fees_paid": ("fees", lambda metrics: cell(metrics, "fees_paid")),
    "cagr": ("CAGR", lambda metrics: cell(metrics, "cagr")),
    "sortino_ratio": ("Sortino", lambda metrics: cell(metrics, "sortino_ratio")),
    "exposure": ("exposure", lambda metrics: _number(metrics, "exposure", "{:.0%}")),
    "best_trade": ("best", lambda metrics: cell(metrics, "best_trade")),
    "worst_trade": ("worst", lambda metrics: cell(metrics, "worst_trade")),
}
# The order in which columns are left out if there is no room; 6 is the column "cached".
_LEFT_OUT = {
    "worst_trade": 1,
    "best_trade": 2,
    "exposure": 3,
    "sortino_ratio": 4,
    "cagr": 5,
    "fees_paid": 7,
    "win_rate": 8,
    "buy_and_hold_return": 9,
}
