"""Conditions looked back at: when one held last, and how often.

A condition is a float64 column of shape (n,): 1 where it holds, 0 where it does not, and NaN where it is
undefined.
"""

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn


def bars_since(condition: PriceColumn) -> PriceColumn:
    """Return how many candles ago the condition held last, 0 where it holds; NaN before it first does."""
    last = _last(condition)
    return np.where(last < 0, np.nan, np.arange(len(condition)) - last)


def value_when(condition: PriceColumn, values: PriceColumn) -> PriceColumn:
    """Return the value at the candle where the condition held last; NaN before it first does."""
    last = _last(condition)
    return np.where(last < 0, np.nan, values[last])


def count(condition: PriceColumn, period: int) -> PriceColumn:
    """Return at how many of the last `period` candles the condition held; NaN where any is undefined."""
    result = np.full(len(condition), np.nan)
    if len(condition) >= period:
        held, undefined = _windows(condition == 1.0, period), _windows(np.isnan(condition), period)
        result[period - 1 :] = np.where(undefined > 0, np.nan, held)
    return result


def _last(condition: PriceColumn) -> NDArray[np.intp]:
    """Return the index of the last candle up to each at which the condition held, -1 where there is none."""
    held = np.where(condition == 1.0, np.arange(len(condition)), -1)
    last: NDArray[np.intp] = np.maximum.accumulate(held)
    return last


def _windows(flags: NDArray[np.bool_], period: int) -> NDArray[np.int64]:
    sums: NDArray[np.int64] = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=sums[1:])
    return sums[period:] - sums[:-period]
