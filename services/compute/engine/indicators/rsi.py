"""Relative strength index."""

import numpy as np

from services.compute.engine.indicators.moving_average import smooth
from services.shared.candles import PriceColumn


def rsi(close: PriceColumn, period: int) -> PriceColumn:
    """Return Wilder's relative strength index, 0 to 100; the first `period` values are NaN.

    100 * average gain / (average gain + average loss), both with Wilder's smoothing (a weight of
    1 / period for the newest change, seeded by the simple mean of the first `period` changes). These
    are TA-Lib's values, except while there has been no movement at all: that is neutral, 50.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    values = np.full(len(close), np.nan)
    if len(close) <= period:
        return values
    change = np.diff(close)
    gain = smooth(np.maximum(change, 0.0), period, 1.0 / period)
    loss = smooth(np.maximum(-change, 0.0), period, 1.0 / period)
    movement = gain + loss
    moved = movement > 0
    values[1:] = np.where(np.isnan(movement), np.nan, 50.0)
    values[1:][moved] = 100.0 * (gain[moved] / movement[moved])
    return values
