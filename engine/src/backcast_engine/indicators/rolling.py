"""Windows over the last `period` values: standard deviation, highest and lowest.

A running sum would drift: what is added and later subtracted leaves its rounding error behind for good.
For the standard deviation, the column is cut into blocks as long as the window. Every window is the end of
one block followed by the beginning of the next, so its sum is a sum over a tail plus a sum over a head, of at
most `period` terms each: nothing is ever subtracted again, and an error cannot outlive its two blocks.

Sums are taken of the distances to a pivot, the last value of the first block. Each window holds that value,
so distances are no larger than the window's range, squares lose no digits to the price level, and nothing
outside of the window has a say in it.

The highest value of a window is the higher one of two windows of half its length, whose highest are known:
after log2(period) passes, each over many candles at once, all windows are.
"""

import numpy as np
from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.runs import Runs, kernel, run_by_run


def stddev(values: PriceColumn, period: int) -> PriceColumn:
    """Return the population standard deviation of the last `period` values; the first period - 1 are NaN."""
    return run_by_run(_stddev, (values,), period, period)


def highest(values: PriceColumn, period: int) -> PriceColumn:
    """Return the highest of the last `period` values; the first period - 1 are NaN."""
    return run_by_run(_extreme, (values,), period, period, 1.0)


def lowest(values: PriceColumn, period: int) -> PriceColumn:
    """Return the lowest of the last `period` values; the first period - 1 are NaN."""
    return run_by_run(_extreme, (values,), period, period, -1.0)


# The squares of distances below 1e-125 would lose digits, or be 0: they are also summed scaled up.
_SCALE = 2.0**600
_TINY = 1e-250
# Candles of a pass: two columns of so many fit into the processor's first cache.
_STRETCH = 1024


@kernel(1, types.int64)
def _stddev(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    tail, square_tail, scaled_tail = np.empty(period), np.empty(period), np.empty(period)
    weight = 1.0 / period
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        for block in range(start, end - period + 1, period):
            last = block + period - 1
            pivot = values[last]
            total = squares = scaled = 0.0
            for i in range(period - 1, -1, -1):
                distance = values[block + i] - pivot
                total += distance
                squares += distance * distance
                scaled += (distance * _SCALE) * (distance * _SCALE)
                tail[i], square_tail[i], scaled_tail[i] = total, squares, scaled
            total = squares = scaled = 0.0
            for i in range(min(period, end - last)):
                distance = values[last + i] - pivot
                total += distance
                squares += distance * distance
                scaled += (distance * _SCALE) * (distance * _SCALE)
                window_total, window_squares, unit = tail[i] + total, square_tail[i] + squares, 1.0
                if window_squares < _TINY:
                    window_squares, unit = scaled_tail[i] + scaled, 1.0 / _SCALE
                    window_total *= _SCALE
                # Without a division, which would take longer than all the rest.
                variance = weight * (window_squares - weight * (window_total * window_total))
                result[last + i] = np.sqrt(max(variance, 0.0)) * unit


@kernel(1, types.int64, types.float64)
def _extreme(values: PriceColumn, runs: Runs, period: int, sign: float, result: PriceColumn) -> None:
    # The lowest value is the highest of the negated ones, negated. Passes go over a stretch that the
    # processor's cache holds.
    length = max(_STRETCH, 2 * period)
    extremes, wider = np.empty(length), np.empty(length)
    for r in range(len(runs)):
        for start in range(runs[r, 0], runs[r, 1] - period + 1, length - period + 1):
            stretch = values[start : min(start + length, runs[r, 1])]
            count = len(stretch)
            for i in range(count):
                extremes[i] = sign * stretch[i]
            size = 1
            while size < period:
                step = min(size, period - size)
                now, before, both = extremes[step:count], extremes[: count - step], wider[step:count]
                for i in range(len(both)):
                    both[i] = now[i] if now[i] > before[i] else before[i]
                extremes, wider = wider, extremes
                size += step
            found, windows = extremes[period - 1 : count], result[start + period - 1 : start + count]
            for i in range(len(windows)):
                windows[i] = sign * found[i]
