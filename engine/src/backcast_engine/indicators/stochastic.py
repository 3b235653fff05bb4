"""Stochastic oscillator."""

import numpy as np

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.moving_average import sma
from backcast_engine.indicators.rolling import highest, lowest
from backcast_engine.indicators.runs import COLUMN, compiled, defined_together


def stochastic_k(
    high: PriceColumn, low: PriceColumn, close: PriceColumn, period: int, smoothing: int
) -> PriceColumn:
    """Return %K of the slow stochastic, 0 to 100; the first period + smoothing - 2 are NaN.

    It is the SMA over `smoothing` candles of 100 * (close - lowest) / (highest - lowest), the place of the
    close between the lowest low and the highest high of `period` candles. (TA-Lib hides %K until %D begins.)
    These are TA-Lib's values, except where the highest is the lowest: that is neutral, 50.
    Source: George C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities, 1984.
    """
    high, low, close = defined_together(high, low, close)
    return sma(place(lowest(low, period), highest(high, period), close), smoothing)


@compiled(COLUMN, COLUMN, COLUMN)
def place(low: PriceColumn, high: PriceColumn, close: PriceColumn) -> PriceColumn:
    """Return where between low and high the close is, in percent; NaN where undefined or too large."""
    place = np.empty(len(close))
    for t in range(len(close)):
        room = high[t] - low[t]
        percent = 100.0 * ((close[t] - low[t]) / room)
        if room == 0.0:
            percent = 50.0
        place[t] = percent if room < np.inf and abs(percent) < np.inf else np.nan
    return place
