"""Metrics as HTML tables, for notebooks, and as one line."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

STYLE = (
    "<style>.backcast td,.backcast th{text-align:right;padding:.15em .7em;font-variant-numeric:tabular-nums}"
    ".backcast td:first-child,.backcast th:first-child{text-align:left}.backcast caption{text-align:left;"
    "caption-side:top;font-weight:600;padding:.3em .7em}</style>"
)
# Labels, metrics, and how they are written.
_FIGURES = (
    ("return", "total_return", "+.1%"),
    ("holding", "buy_and_hold_return", "+.1%"),
    ("Sharpe", "sharpe_ratio", ".2f"),
    ("Sortino", "sortino_ratio", ".2f"),
    ("drawdown", "max_drawdown", ".1%"),
    ("exposure", "exposure", ".0%"),
    ("win rate", "win_rate", ".0%"),
    ("trades", "trade_count", ",.0f"),
)
# What fits into a line, with words that are short.
_IN_SHORT = (
    ("return", "total_return", "+.1%"),
    ("Sharpe", "sharpe_ratio", ".2f"),
    ("drawdown", "max_drawdown", ".1%"),
    ("trades", "trade_count", ",.0f"),
)


def in_short(metrics: Any) -> str:
    """Return the most important metrics that are defined, as one line."""
    figures = [(label, getattr(metrics, name), form) for label, name, form in _IN_SHORT]
    return ", ".join(f"{label} {value:{form}}" for label, value, form in figures if value is not None)


def result_html(symbol: str, metrics: Any) -> str:
    """Return the metrics of one crypto as HTML."""
    return f'<div class="backcast">{STYLE}{metrics_table("", "crypto", [(symbol, metrics)])}</div>'


def metrics_table(caption: str, first: str, rows: Sequence[tuple[str, Any]]) -> str:
    """Return an HTML table with a row for the metrics of each name; the names are the column `first`."""
    if not rows:
        return ""
    head = _row("th", [first, *(label for label, _, _ in _FIGURES)])
    body = "".join(
        _row("td", [name, *(_written(getattr(metrics, metric), form) for _, metric, form in _FIGURES)])
        for name, metrics in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _written(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
