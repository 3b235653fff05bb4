"""Moving average convergence and divergence."""

from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.moving_average import ema
from backcast_engine.indicators.offset import offset
from backcast_engine.indicators.runs import Runs, kernel, run_by_run


def macd(
    values: PriceColumn, fast: int, slow: int, signal: int
) -> tuple[PriceColumn, PriceColumn, PriceColumn]:
    """Return the line, its signal and the histogram, in the unit of the values.

    The line is EMA(fast) - EMA(slow); the signal the line's EMA; the histogram line - signal. Both
    averages begin where the longer one can, as in TA-Lib: each is seeded there by the simple mean of its
    last values. The line's first max(fast, slow) - 1 values are NaN, of the other two signal - 1 more.
    (TA-Lib hides the line until the signal begins.)
    Source: Gerald Appel, Technical Analysis: Power Tools for Active Investors, 2005.
    """
    if min(fast, slow) < 1:
        raise ValueError(f"the periods must be at least 1, not {fast} and {slow}")
    line = run_by_run(_line, (values,), max(fast, slow), fast, slow)
    average = ema(line, signal)
    return line, average, offset(line, -1.0, average)


@kernel(1, types.int64, types.int64)
def _line(values: PriceColumn, runs: Runs, fast: int, slow: int, result: PriceColumn) -> None:
    # The distances of both averages from the newest value, as in the EMA. The line is their difference:
    # that of the averages would lose the digits that they share.
    keep_fast, keep_slow = 1.0 - 2.0 / (fast + 1), 1.0 - 2.0 / (slow + 1)
    for r in range(len(runs)):
        start, end = runs[r, 0], runs[r, 1]
        seeded = start + max(fast, slow) - 1
        below = 0.0
        for t in range(seeded - fast + 1, seeded):
            below += values[seeded] - values[t]
        from_fast, below = below / fast, 0.0
        for t in range(seeded - slow + 1, seeded):
            below += values[seeded] - values[t]
        from_slow = below / slow
        result[seeded] = from_slow - from_fast
        for t in range(seeded + 1, end):
            change = values[t] - values[t - 1]
            from_fast = keep_fast * (from_fast + change)
            from_slow = keep_slow * (from_slow + change)
            result[t] = from_slow - from_fast
