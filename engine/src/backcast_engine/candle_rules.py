"""The rules that every candle must obey, whatever its source."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.interval import Interval

# A double ends at 1.8e308: above this, sums over a history, and prices times volumes, could overflow.
_LARGEST = 1e300


def broken_rules(candles: Candles, interval: Interval) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield for each rule its message and a bool column of shape (n,), true for candles that break it.

    The candles may be in any order. The rules do not include that times ascend and that candles are closed.
    """
    yield from broken_values(candles)
    yield off_grid_reason(interval), off_grid(candles.open_time_s, interval)


def broken_values(candles: Candles) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the rules for candles of any length; otherwise like `broken_rules`."""
    prices = (("open", candles.open), ("high", candles.high), ("low", candles.low), ("close", candles.close))
    values = (*prices, ("volume", candles.volume))
    for name, column in values:
        yield f"{name} is not a finite number", ~np.isfinite(column)
    for name, column in values:
        yield f"{name} is too large", column > _LARGEST
    for name, column in prices:
        yield f"{name} is not positive", column <= 0
    yield "volume is negative", candles.volume < 0
    yield "high is below low", candles.high < candles.low
    for name, column in (("open", candles.open), ("close", candles.close)):
        yield f"{name} is not between low and high", (column < candles.low) | (column > candles.high)
    yield "the time is before 1970", candles.open_time_s < 0


def off_grid(open_time_s: TimeColumn, interval: Interval) -> NDArray[np.bool_]:
    """Return which times, shape (n,), are not openings of the interval's candles."""
    is_off: NDArray[np.bool_] = (open_time_s - interval.opening(0)) % interval.seconds != 0
    return is_off


def off_grid_reason(interval: Interval) -> str:
    """Return the message for a candle whose time is not on the grid."""
    return f"the time is not on the {interval.value} grid"
