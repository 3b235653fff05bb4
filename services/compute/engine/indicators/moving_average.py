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
    """Return y[t] = weight * values[t] + (1 - weight) * y[t - 1], seeded at period - 1 by the simple mean."""
    smoothed = np.full(len(values), np.nan)
    if len(values) < period:
        return smoothed
    seed = values[:period].mean()
    smoothed[period - 1] = seed
    if len(values) > period:
        smoothed[period:], _ = lfilter(
            [weight], [1.0, weight - 1.0], values[period:], zi=[(1.0 - weight) * seed]
        )
    return smoothed
