"""Average price, weighted by volume."""

import numpy as np

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.moving_average import sma
from backcast_engine.indicators.runs import defined_together


def vwap(
    high: PriceColumn, low: PriceColumn, close: PriceColumn, volume: PriceColumn, period: int
) -> PriceColumn:
    """Return the mean of (high + low + close) / 3 over `period` candles, weighted by their volumes.

    The first period - 1 are NaN, and so is what has no volume in its window.
    """
    high, low, close, volume = defined_together(high, low, close, volume)
    with np.errstate(all="ignore"):
        average = sma((high + low + close) / 3.0 * volume, period) / sma(volume, period)
    average[~np.isfinite(average)] = np.nan
    return average
