"""What a backtest reads of a crypto's history: columns, the series of its execution, candles of warm-up."""

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.execution import Execution
from backcast_engine.other_candles import power_of_two
from backcast_engine.results import Detail
from backcast_engine.rules import Expression
from backcast_engine.rules.check import columns_of_expression, warmup
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, call
from backcast_engine.strategies import Strategy

# Columns that fills, equity and metrics read, whatever the strategy.
_ALWAYS_READ = frozenset(("open", "close"))
_RANGE = frozenset(("high", "low"))


def columns_of(strategy: Strategy, execution: Execution, detail: Detail = Detail.METRICS) -> tuple[str, ...]:
    """Return the columns besides the time that a backtest reads, in the candles' order."""
    read = _ALWAYS_READ | strategy.columns
    if execution.needs_range or detail >= Detail.TRADES:
        read |= _RANGE
    for expression in needed_series(execution).values():
        read |= columns_of_expression(expression)
    return tuple(name for name in VALUE_COLUMNS if name in read)


def needed_series(execution: Execution) -> dict[str, Expression]:
    """Return the series that an execution needs at each candle: ATR for stops, volatility for a size."""
    needed: dict[str, Expression] = {}
    if execution.needs_atr:
        needed["atr"] = call("atr", HIGH, LOW, CLOSE, execution.atr_period)
    if target := execution.volatility_target:
        returns = call("divide", call("momentum", CLOSE, 1), call("shift", CLOSE, 1))
        needed["deviation"] = call("stddev", returns, target.period)
    return needed


def longest_warmup(needed: dict[str, Expression]) -> int:
    """Return the number of warm-up candles of the series that an execution needs."""
    return max(map(warmup, needed.values()), default=0)


def rounded_warmup(strategy: Strategy, needed_warmup: int) -> int:
    """Return the number of warm-up candles that a backtest reads if the data has that many.

    It is rounded up to a power of two, so that strategies with similar needs share indicators.
    """
    return power_of_two(max(strategy.warmup_candles, needed_warmup))
