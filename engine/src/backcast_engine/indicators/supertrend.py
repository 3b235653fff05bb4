"""Supertrend."""

import numpy as np
from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.atr import atr
from backcast_engine.indicators.runs import Runs, kernel, run_by_run


def supertrend(
    high: PriceColumn, low: PriceColumn, close: PriceColumn, period: int, multiple: float
) -> PriceColumn:
    """Return the line that trails the price: below it in an up trend, above it in a down trend.

    Bands lie `multiple` average true ranges over `period` candles below and above the middle of each
    candle, (high + low) / 2. The final lower band only rises, until a close is below it; the final upper
    one only falls, until a close is above it. A close above the final upper band turns the trend up, one
    below the final lower band turns it down. The line is the final lower band while up, the upper while
    down: a close above it is in an up trend, one below it in a down trend, one on it in that before.
    It begins with the ATR, at index `period`, before which all is NaN, and in a down trend: an up trend is
    one that has been seen to begin.
    Source: Olivier Seban's Supertrend, 2009.
    """
    return run_by_run(_supertrend, (high, low, close, atr(high, low, close, period)), 1, float(multiple))


@kernel(4, types.float64)
def _supertrend(
    high: PriceColumn,
    low: PriceColumn,
    close: PriceColumn,
    atr: PriceColumn,
    runs: Runs,
    multiple: float,
    result: PriceColumn,
) -> None:
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        lower = upper = before = 0.0
        up = False
        for t in range(start, end):
            middle, reach = (high[t] + low[t]) / 2, multiple * atr[t]
            if t == start or middle - reach > lower or before < lower:
                lower = middle - reach
            if t == start or middle + reach < upper or before > upper:
                upper = middle + reach
            up = close[t] >= lower if up else close[t] > upper
            line = lower if up else upper
            # However large the multiple is.
            result[t] = line if abs(line) < np.inf else np.nan
            before = close[t]
