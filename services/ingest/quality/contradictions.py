"""When two sources that tell the same hours are not of the same market.

An exchange corrects single candles, and another market differs in all of them.
"""

import numpy as np
from numpy.typing import NDArray

from services.domain.candles import Candles

# What is taken for corrections: a share of the hours that both sources have, and a factor between two prices.
LARGEST_SHARE = 0.01
LARGEST_FACTOR = 1.5
# As a share of the larger value. What differs by less is one value, written with fewer digits: a
# single-precision number has seven.
_SAME = 1e-6


def values_differ(column: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where two columns differ by more than a rounding; both of shape (n,), and not negative."""
    differ: NDArray[np.bool_] = np.abs(column - other) > _SAME * np.maximum(column, other)
    return differ


def candles_differ(candles: Candles, others: Candles) -> NDArray[np.bool_]:
    """Return which candles have other prices or another volume; both of shape (n,), of the same times."""
    differ = np.zeros(len(candles), np.bool_)
    for column, other in zip(candles.columns()[1:], others.columns()[1:], strict=True):
        differ |= values_differ(column, other)
    return differ


def price_factors(candles: Candles, others: Candles) -> NDArray[np.float64]:
    """Return by which factor the prices of each candle differ at most: 1 where none does."""
    largest = np.ones(len(candles))
    # A quotient of the furthest prices is infinite, which is far enough.
    with np.errstate(over="ignore"):
        for name in ("open", "high", "low", "close"):
            here, there = getattr(candles, name), getattr(others, name)
            largest = np.maximum(largest, np.maximum(here, there) / np.minimum(here, there))
    return largest
