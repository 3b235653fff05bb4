"""Aggregation of candles to longer ones, with exact volumes.

Apart from `candles`, on which intervals and exact sums stand, which it uses.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from backcast_engine import aggregation
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
    return aggregation.aggregate(candles, interval, partial(exact_sums, scale=volume_scale))
