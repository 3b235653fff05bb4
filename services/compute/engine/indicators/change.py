"""Values against earlier ones: shift, momentum and rate of change."""

import numpy as np
from numba import types

from services.compute.engine.indicators.runs import Runs, kernel, run_by_run
from services.shared.candles import PriceColumn


def shift(values: PriceColumn, n: int) -> PriceColumn:
    """Return the value of n candles ago; the first n are NaN."""
    return run_by_run(_shift, (values,), n + 1, n)


def momentum(values: PriceColumn, n: int) -> PriceColumn:
    """Return the change over n candles, values[t] - values[t - n]; the first n are NaN."""
    return run_by_run(_momentum, (values,), n + 1, n)


def roc(values: PriceColumn, n: int) -> PriceColumn:
    """Return the rate of change over n candles in percent; the first n are NaN.

    100 * (values[t] / values[t - n] - 1), NaN where values[t - n] is 0 or the result is too large.
    """
    return run_by_run(_roc, (values,), n + 1, n)


@kernel(1, types.int64)
def _shift(values: PriceColumn, runs: Runs, n: int, result: PriceColumn) -> None:
    for r in range(len(runs)):
        for t in range(runs[r, 0] + n, runs[r, 1]):
            result[t] = values[t - n]


@kernel(1, types.int64)
def _momentum(values: PriceColumn, runs: Runs, n: int, result: PriceColumn) -> None:
    for r in range(len(runs)):
        for t in range(runs[r, 0] + n, runs[r, 1]):
            result[t] = values[t] - values[t - n]


@kernel(1, types.int64)
def _roc(values: PriceColumn, runs: Runs, n: int, result: PriceColumn) -> None:
    for r in range(len(runs)):
        for t in range(runs[r, 0] + n, runs[r, 1]):
            # The change first: next to 1, a quotient would lose the digits that count.
            rate = 100.0 * ((values[t] - values[t - n]) / values[t - n])
            result[t] = rate if abs(rate) < np.inf else np.nan
