"""Relative strength index."""

import numpy as np
from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.runs import Runs, compiled, kernel, run_by_run


def rsi(close: PriceColumn, period: int) -> PriceColumn:
    """Return Wilder's relative strength index, 0 to 100; the first `period` values are NaN.

    100 * average gain / (average gain + average loss), both with Wilder's smoothing (a weight of
    1 / period for the newest change, seeded by the simple mean of the first `period` changes). These
    are TA-Lib's values, except while there has been no movement at all: that is neutral, 50.
    A candle without movement leaves the index as it is, to the bit, however many there are.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    if period < 1:
        raise ValueError(f"the period must be at least 1, not {period}")
    return run_by_run(_rsi, (close,), period + 1, period)


@compiled(types.float64, types.float64)
def _index(gain: float, loss: float) -> float:
    movement = gain + loss
    index = 100.0 * (gain / movement) if movement < np.inf else np.nan
    return 50.0 if movement == 0.0 else index


@kernel(1, types.int64)
def _rsi(close: PriceColumn, runs: Runs, period: int, result: PriceColumn) -> None:
    # Gain and loss are `period` times their averages: the ratio is the same, and needs no weight.
    keep = 1.0 - 1.0 / period
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        seeded = start + period
        gain = loss = 0.0
        for t in range(start + 1, seeded + 1):
            change = close[t] - close[t - 1]
            gain += max(change, 0.0)
            loss += max(-change, 0.0)
        index = _index(gain, loss)
        result[seeded] = index
        # Candles without movement scale both averages alike. That waits for the next movement: done at
        # once, thousands of them would scale both to 0, and the ratio would be lost.
        decay = keep
        for t in range(seeded + 1, end):
            change = close[t] - close[t - 1]
            if change == 0.0:
                decay *= keep
            else:
                gain = decay * gain + max(change, 0.0)
                loss = decay * loss + max(-change, 0.0)
                decay = keep
                index = _index(gain, loss)
            result[t] = index
