"""Average prices, weighted by volume: over the last candles, since an event, and since the day began."""

import numpy as np

from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.indicators.moving_average import sma
from backcast_engine.indicators.runs import COLUMN, compiled, defined_together

_DAY_S = 86_400


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


def vwap_since(
    condition: PriceColumn, high: PriceColumn, low: PriceColumn, close: PriceColumn, volume: PriceColumn
) -> PriceColumn:
    """Return the mean of (high + low + close) / 3 since `condition` (1, 0 or NaN) held last.

    It is weighted by the volumes, and includes the candle at which it held. NaN before the condition first
    holds, while there is no volume, and from an undefined value on until the condition holds again.
    """
    high, low, close, volume = defined_together(high, low, close, volume)
    with np.errstate(all="ignore"):
        typical = (high + low + close) / 3.0
    return _since(np.ascontiguousarray(condition, np.float64), typical, volume)


def vwap_session(
    open_time_s: TimeColumn, high: PriceColumn, low: PriceColumn, close: PriceColumn, volume: PriceColumn
) -> PriceColumn:
    """Return the mean of (high + low + close) / 3 since the day began in UTC, weighted by the volumes.

    NaN before the first day of which the beginning is known: the first candle opens at 00:00, or a candle
    opens on a later day than the one before it.
    """
    day = open_time_s // _DAY_S
    begins = np.ones(len(day))
    begins[1:] = day[1:] != day[:-1]
    begins[:1] = open_time_s[:1] % _DAY_S == 0
    return vwap_since(begins, high, low, close, volume)


@compiled(COLUMN, COLUMN, COLUMN)
def _since(begins: PriceColumn, typical: PriceColumn, volume: PriceColumn) -> PriceColumn:
    # Sums are of the distances to the first price: where the price stands still, so does the average.
    result = np.empty(len(typical))
    has_begun, pivot, weighted, total = False, 0.0, 0.0, 0.0
    for t in range(len(typical)):
        result[t] = np.nan
        if not np.isfinite(typical[t]):
            has_begun = False
            continue
        if begins[t] == 1.0:
            has_begun, pivot, weighted, total = True, typical[t], 0.0, 0.0
        if has_begun:
            weighted += (typical[t] - pivot) * volume[t]
            total += volume[t]
            average = pivot + weighted / total
            if np.isfinite(average):
                result[t] = average
    return result
