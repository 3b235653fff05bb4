"""Rolling mean and standard deviation in O(n), without the drift of a running sum.

The column is cut into blocks as long as the window. Every window is the end of one block followed by
the beginning of the next, so its sum is a suffix sum plus a prefix sum of at most `period` terms each:
nothing is ever subtracted again, and an error cannot outlive its two blocks.
"""

import numpy as np

from services.shared.candles import PriceColumn


def rolling_mean_std(values: PriceColumn, period: int) -> tuple[PriceColumn, PriceColumn]:
    """Return mean and population standard deviation of the last `period` values at each index.

    Both have the shape (n,), NaN at the first period - 1 indices.
    """
    mean = np.full(len(values), np.nan)
    std = np.full(len(values), np.nan)
    if len(values) < period:
        return mean, std
    block_count = len(values) // period + 1
    # The zeros behind the end reach prefix sums that no window reads.
    padded = np.zeros((block_count + 1) * period)
    padded[: len(values)] = values
    blocks = padded.reshape(block_count + 1, period)
    # Sums are taken of the distance to the last value of the window's first block. Each window holds that
    # value, so distances are no larger than the window's range, squares lose no digits to the price
    # level, and nothing outside of the window has a say in it.
    pivot = blocks[:-1, -1:]
    first, second = blocks[:-1] - pivot, blocks[1:] - pivot
    window_count = len(values) - period + 1
    offset_mean = _window_sums(first, second)[:window_count] / period
    mean[period - 1 :] = np.repeat(pivot, period)[:window_count] + offset_mean
    variance = _window_sums(first**2, second**2)[:window_count] / period - offset_mean**2
    std[period - 1 :] = np.sqrt(np.maximum(variance, 0.0))
    return mean, std


def _window_sums(first: PriceColumn, second: PriceColumn) -> PriceColumn:
    """Return the sums of all windows that start in the rows of `first` and end in those of `second`.

    Both have the shape (blocks, period); the result has (blocks * period,).
    """
    sums = np.cumsum(first[:, ::-1], axis=1)[:, ::-1].copy()
    sums[:, 1:] += np.cumsum(second, axis=1)[:, :-1]
    return sums.reshape(-1)
