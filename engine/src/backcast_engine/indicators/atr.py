"""True range and average true range."""

from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.runs import Runs, kernel, run_by_run


def true_range(high: PriceColumn, low: PriceColumn, close: PriceColumn) -> PriceColumn:
    """Return the range of each candle, the close before it included; the first is NaN.

    max(high - low, |high - close before|, |low - close before|), in the unit of the prices.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return run_by_run(_true_range, (high, low, close), 2)


def atr(high: PriceColumn, low: PriceColumn, close: PriceColumn, period: int) -> PriceColumn:
    """Return the average true range; the first `period` values are NaN.

    Wilder's smoothing: a weight of 1 / period for the newest true range, seeded by the simple mean of
    the first `period` true ranges, as in TA-Lib.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return run_by_run(_wilder, (true_range(high, low, close),), period, period)


@kernel(3)
def _true_range(
    high: PriceColumn, low: PriceColumn, close: PriceColumn, runs: Runs, result: PriceColumn
) -> None:
    for r in range(len(runs)):
        for t in range(runs[r, 0] + 1, runs[r, 1]):
            before = close[t - 1]
            result[t] = max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before))


@kernel(1, types.int64)
def _wilder(values: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    # All terms are positive: nothing cancels. The sum is `period` times the average.
    keep = 1.0 - 1.0 / period
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        seeded, total = start + period - 1, 0.0
        for t in range(start, seeded + 1):
            total += values[t]
        result[seeded] = total / period
        for t in range(seeded + 1, end):
            total = keep * total + values[t]
            result[t] = total / period
