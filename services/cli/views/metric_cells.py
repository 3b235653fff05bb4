"""Figures of a backtest as cells of a table, and their headings."""

from collections.abc import Sequence

from backcast.backtest.v1.result_pb2 import Metric, Metrics
from backcast_engine.errors import InvalidInput
from backcast_engine.near_names import did_you_mean
from services.wire.enum_names import names_of, number_of

ABSENT = "[dim]–[/dim]"
METRICS: Sequence[str] = [field.name for field in Metrics.DESCRIPTOR.fields]

_HEADINGS = {
    "total_return": "return",
    "buy_and_hold_return": "hold",
    "cagr": "CAGR",
    "sharpe_ratio": "Sharpe",
    "sortino_ratio": "Sortino",
    "calmar_ratio": "Calmar",
    "max_drawdown": "drawdown",
    "trade_count": "trades",
    "open_trade_count": "open trades",
    "win_rate": "wins",
}
_SIGNED = ("total_return", "buy_and_hold_return", "cagr", "expectancy", "best_trade", "worst_trade")
_FRACTIONS = ("annual_volatility", "max_drawdown", "exposure", "win_rate")
_COUNTS = ("trade_count", "open_trade_count")


def metric_name(name: str, option: str) -> str:
    """Return the metric that an option names, in any case; raise InvalidInput, naming the option, if none."""
    return metric_of(metric_number(name, option))


def metric_number(name: str, option: str) -> Metric.ValueType:
    """Return the API's number of the metric that an option names, as `metric_name` does."""
    number = number_of(Metric.DESCRIPTOR, name)
    if number is None:
        hint = did_you_mean(name[:40], METRICS, f"it is one of {', '.join(METRICS)}")
        raise InvalidInput.of(option, f"there is no metric {name[:40]!r}: {hint}")
    return Metric.ValueType(number)


def metric_of(number: int) -> str:
    """Return the name of a metric of the API: its field of Metrics."""
    return names_of(Metric.DESCRIPTOR)[number].lower()


def metric_names(text: str, option: str) -> list[str]:
    """Return the metrics that an option names, separated by commas; errors are those of `metric_name`."""
    return [metric_name(name.strip(), option) for name in text.split(",")]


def heading_of(metric: str) -> str:
    """Return a metric's name as a heading."""
    return _HEADINGS.get(metric, metric.replace("_", " "))


def cell(metrics: Metrics, name: str) -> str:
    """Return a figure as text."""
    if not metrics.HasField(name):  # type: ignore[arg-type]  # a field's name
        return ABSENT
    value: float = getattr(metrics, name)
    if name in _SIGNED:
        return colored(value)
    if name in _FRACTIONS:
        return f"{value:.1%}"
    return f"{value:,.0f}" if name in _COUNTS else f"{value:z,.2f}"


def difference_cell(name: str, value: float | None) -> str:
    """Return a difference between two values of a metric, or a mean of some, as text."""
    if value is None:
        return ABSENT
    if name in _SIGNED or name in _FRACTIONS:
        return f"{value:+z.1%}"
    return f"{value:+z,.1f}" if name in _COUNTS else f"{value:+z,.2f}"


def colored(value: float, text: str | None = None) -> str:
    """Return `text`, by default the value in percent: red if it begins with a minus, else green."""
    # The format z avoids "-0.0%".
    shown = text or f"{value:+z.1%}"
    return f"[{'red' if shown.startswith('-') else 'green'}]{shown}[/]"
