"""Aggregation of candles to longer ones.

Apart from `candles`, on which intervals and exact sums stand, which it uses.
"""

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.domain.ticks import exact_sums

AGGREGATED = (Interval.HOUR_4, Interval.DAY_1, Interval.WEEK_1)


def aggregate(
    candles: Candles, interval: Interval, volume_scale: int = 0
) -> tuple[Candles, NDArray[np.int64]]:
    """Aggregate candles to `interval`; return the longer candles, and the number of candles in each.

    Both are of shape (m,), for the m intervals that contain any candle; missing candles stay missing. Volumes
    are summed as decimals and rounded once; `volume_scale` is a guess at their number of decimals.
    """
    if not len(candles):
        return candles, np.empty(0, np.int64)
    openings = interval.openings(candles.open_time_s)
    starts = np.flatnonzero(np.diff(openings, prepend=openings[0] - 1))
    ends = np.append(starts[1:], len(candles))
    longer = Candles(
        open_time_s=openings[starts],
        open=candles.open[starts],
        high=np.maximum.reduceat(candles.high, starts),
        low=np.minimum.reduceat(candles.low, starts),
        close=candles.close[ends - 1],
        volume=exact_sums(candles.volume, starts, volume_scale),
    )
    return longer, ends - starts
