"""Simple and exponential moving averages."""

import numpy as np
from scipy.signal import lfilter

from services.compute.engine.indicators.rolling import rolling_mean_std
from services.shared.candles import PriceColumn


def sma(values: PriceColumn, period: int) -> PriceColumn:
    """Return the mean of the last `period` values; the first period - 1 are NaN."""
    return rolling_mean_std(values, period)[0]


def ema(values: PriceColumn, period: int) -> PriceColumn:
    """Return the exponential moving average with a weight of 2 / (period + 1) for the newest value.

    Seeded by the simple mean of the first `period` values, as in TA-Lib; before that NaN.
    """
    return smooth(values, period, 2.0 / (period + 1))


def smooth(values: PriceColumn, period: int, weight: float) -> PriceColumn:
    """Return y[t] = y[t - 1] + weight * (values[t] - y[t - 1]), seeded at period - 1 by the simple mean.

    What is filtered is the distance d[t] = values[t] - y[t] = (1 - weight) * (d[t - 1] + change[t]). It
    is exactly 0 where nothing has moved, and dies out where nothing moves any more: two averages of a
    price that stands still are both that price, and never cross on what rounding makes of it.
    """
    smoothed = np.full(len(values), np.nan)
    if len(values) < period:
        return smoothed
    seed = values[0] + (values[:period] - values[0]).mean()
    smoothed[period - 1] = seed
    if len(values) > period:
        keep = 1.0 - weight
        distance, _ = lfilter(
            [keep], [1.0, -keep], np.diff(values[period - 1 :]), zi=[keep * (values[period - 1] - seed)]
        )
        smoothed[period:] = values[period:] - distance
    return smoothed
