"""Simple, weighted and exponential moving averages."""

import numpy as np
from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.runs import Runs, kernel, run_by_run


def sma(values: PriceColumn, period: int) -> PriceColumn:
    """Return the mean of the last `period` values; the first period - 1 are NaN."""
    return run_by_run(_short_sma if period <= _SHORT else _sma, (values,), period, period)


def wma(values: PriceColumn, period: int) -> PriceColumn:
    """Return the linearly weighted mean of the last `period` values; the first period - 1 are NaN.

    The oldest value in the window weighs 1, the newest `period`, in units of period * (period + 1) / 2.
    """
    return run_by_run(_wma, (values,), period, period)


def ema(values: PriceColumn, period: int) -> PriceColumn:
    """Return the exponential moving average with a weight of 2 / (period + 1) for the newest value.

    Seeded by the simple mean of the first `period` values, as in TA-Lib; before that NaN.
    """
    return run_by_run(_ema, (values,), period, period)


# How the windows are summed, and why of distances to a pivot: see rolling.py.

# Windows up to so many values are summed value by value: many windows at once, which are independent.
_SHORT = 8
# Candles of such a pass: three columns of so many fit into the processor's first cache.
_STRETCH = 1024


@kernel(1, types.int64)
def _short_sma(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    # The pivot is each window's last value.
    sums = np.empty(_STRETCH)
    for r in range(len(runs)):
        for start in range(runs[r, 0] + period - 1, runs[r, 1], _STRETCH):
            end = min(start + _STRETCH, runs[r, 1])
            last, windows, count = values[start:end], result[start:end], end - start
            sums[:count] = 0.0
            for i in range(1, period):
                before = values[start - i : end - i]
                for t in range(count):
                    sums[t] += before[t] - last[t]
            for t in range(count):
                windows[t] = last[t] + sums[t] / period


@kernel(1, types.int64)
def _sma(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    # Sums of a block's head and of the next block's tail are independent: the processor adds both at a time.
    # Tails are kept in turn in the two halves.
    tails = np.empty(2 * period)
    for r in range(len(runs)):
        last, end = runs[r, 0] + period - 1, runs[r, 1]
        tail, next_tail = 0, period
        pivot, total = values[last], 0.0
        for i in range(period):
            total += values[last - i] - pivot
            tails[period - 1 - i] = total
        while True:
            result[last] = pivot + tails[tail] / period
            next_last = last + period
            if next_last >= end:
                break
            next_pivot, total, next_total = values[next_last], 0.0, 0.0
            tails[next_tail + period - 1] = 0.0
            for i in range(1, period):
                total += values[last + i] - pivot
                result[last + i] = pivot + (tails[tail + i] + total) / period
                next_total += values[next_last - i] - next_pivot
                tails[next_tail + period - 1 - i] = next_total
            last, pivot, tail, next_tail = next_last, next_pivot, next_tail, tail
        total = 0.0
        for i in range(1, end - last):
            total += values[last + i] - pivot
            result[last + i] = pivot + (tails[tail + i] + total) / period


@kernel(1, types.int64)
def _wma(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    weighted_tail = np.empty(period)
    weights = 0.5 * period * (period + 1)
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        for block in range(start, end - period + 1, period):
            last = block + period - 1
            pivot, total, weighted = values[last], 0.0, 0.0
            for i in range(period - 1, -1, -1):
                # One step further back, every value behind weighs one more.
                total += values[block + i] - pivot
                weighted += total
                weighted_tail[i] = weighted
            result[last] = pivot + weighted_tail[0] / weights
            total = weighted = 0.0
            for i in range(1, min(period, end - last)):
                distance = values[last + i] - pivot
                # The first value behind the block weighs 1 more than the block's last, the i-th i more.
                before = period - i
                total += distance
                weighted += i * distance
                result[last + i] = pivot + (weighted_tail[i] + (before * total + weighted)) / weights


@kernel(1, types.int64)
def _ema(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    # What is smoothed is the distance of the newest value from the average. It is exactly 0 where nothing has
    # moved, and dies out where nothing moves any more: two averages of a price that stands still are both
    # that price, and never cross on what rounding makes of it.
    keep = 1.0 - 2.0 / (period + 1)
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        seeded, distance = start + period - 1, 0.0
        for t in range(start, seeded):
            distance += values[seeded] - values[t]
        distance /= period
        result[seeded] = values[seeded] - distance
        for t in range(seeded + 1, end):
            distance = keep * (distance + (values[t] - values[t - 1]))
            result[t] = values[t] - distance
