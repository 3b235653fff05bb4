"""Comparison with earlier values: shift, momentum and rate of change.

Only two values count, that of this candle and the earlier one; undefined values between them do not matter.
"""

import numpy as np

from backcast_engine.candles import PriceColumn


def shift(values: PriceColumn, n: int) -> PriceColumn:
    """Return the value of n candles ago; the first n are NaN. Raises ValueError if n is below 0."""
    if n < 0:
        raise ValueError(f"a period below 0: {n}")
    earlier = np.full(len(values), np.nan)
    earlier[n:] = values[: max(len(values) - n, 0)]
    return _finite(earlier)


def momentum(values: PriceColumn, n: int) -> PriceColumn:
    """Return the change over n candles, values[t] - values[t - n]; the first n are NaN."""
    with np.errstate(all="ignore"):
        return _finite(values - shift(values, n))


def roc(values: PriceColumn, n: int) -> PriceColumn:
    """Return the rate of change over n candles in percent; the first n are NaN.

    100 * (values[t] / values[t - n] - 1), NaN where values[t - n] is 0 or the result is too large.
    """
    earlier = shift(values, n)
    with np.errstate(all="ignore"):
        # The change first: next to 1, a quotient would lose the digits that count.
        return _finite(100.0 * ((values - earlier) / earlier))


def _finite(values: PriceColumn) -> PriceColumn:
    values[np.isinf(values)] = np.nan
    return values
