"""Decides whether two sources for the same hours are of the same market.

An exchange corrects single candles, while another market differs in all of them.
"""

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles

# The most that counts as corrections: a share of the common hours, and a factor between two prices.
LARGEST_SHARE = 0.01
LARGEST_FACTOR = 1.5
# Relative to the larger value. A smaller difference is the same value with fewer digits: a single-precision
# number has seven.
_SAME = 1e-6


def values_differ(column: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where two columns differ by more than rounding; both of shape (n,), and not negative."""
    differ: NDArray[np.bool_] = np.abs(column - other) > _SAME * np.maximum(column, other)
    return differ


def candles_differ(candles: Candles, others: Candles) -> NDArray[np.bool_]:
    """Return which candles differ in prices or volume; both of shape (n,), of the same times."""
    differ = np.zeros(len(candles), np.bool_)
    for column, other in zip(candles.columns()[1:], others.columns()[1:], strict=True):
        differ |= values_differ(column, other)
    return differ


def price_factors(candles: Candles, others: Candles) -> NDArray[np.float64]:
    """Return the largest factor between the prices of each candle: 1 if they are equal."""
    largest = np.ones(len(candles))
    # A quotient may overflow to infinity, which is large enough.
    with np.errstate(over="ignore"):
        for name in ("open", "high", "low", "close"):
            here, there = getattr(candles, name), getattr(others, name)
            largest = np.maximum(largest, np.maximum(here, there) / np.minimum(here, there))
    return largest
