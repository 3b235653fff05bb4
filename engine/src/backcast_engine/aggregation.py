"""Aggregation of candles to longer ones."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn, TimeColumn
from backcast_engine.interval import Interval

Sums = Callable[[PriceColumn, NDArray[np.intp]], PriceColumn]
"""Sums the groups of a column that begin at some positions: shape (n,) and (m,) to (m,)."""


def aggregate(candles: Candles, interval: Interval, sums: Sums) -> tuple[Candles, NDArray[np.int64]]:
    """Aggregate candles to `interval`; return the longer candles, and the number of candles in each.

    Both are of shape (m,), for the m intervals that contain any candle; missing candles stay missing, and
    columns that are empty stay empty. `sums` sums the volumes.
    """
    if not len(candles):
        return candles, np.empty(0, np.int64)
    starts = _starts(candles.open_time_s, interval)
    ends = np.append(starts[1:], len(candles))
    longer = Candles(
        open_time_s=interval.openings(candles.open_time_s[starts]),
        open=candles.open[starts] if len(candles.open) else candles.open,
        high=np.maximum.reduceat(candles.high, starts) if len(candles.high) else candles.high,
        low=np.minimum.reduceat(candles.low, starts) if len(candles.low) else candles.low,
        close=candles.close[ends - 1] if len(candles.close) else candles.close,
        volume=sums(candles.volume, starts) if len(candles.volume) else candles.volume,
    )
    return longer, ends - starts


def _starts(open_time_s: TimeColumn, interval: Interval) -> NDArray[np.intp]:
    """Return the positions of the first candles in each interval that has any."""
    first_s, last_s = interval.opening(int(open_time_s[0])), int(open_time_s[-1])
    if (last_s - first_s) // interval.seconds > len(open_time_s):
        # Where they are far apart, there may be very many intervals.
        openings = interval.openings(open_time_s)
        return np.flatnonzero(np.diff(openings, prepend=first_s - 1))
    # Much faster than to look at each candle, where an interval has many.
    starts = np.searchsorted(open_time_s, np.arange(first_s, last_s + 1, interval.seconds))
    return starts[np.diff(starts, append=len(open_time_s)) > 0]
