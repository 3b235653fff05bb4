"""The definitions in exact arithmetic: slow, and without rounding but for the last one.

Each takes fractions, a period, and gives floats and None where there is no value. They are written from the
formulas, not from the code.
"""

import statistics
from fractions import Fraction
from itertools import pairwise

Exact = list[Fraction]


def windows(values: Exact, period: int):
    """Yield the last `period` values at each index, None where there are fewer."""
    for end in range(1, len(values) + 1):
        yield values[end - period : end] if end >= period else None


def sma(values, period):
    return [None if window is None else Fraction(sum(window)) / period for window in windows(values, period)]


def wma(values, period):
    weights = range(1, period + 1)
    return [
        None if window is None else sum(w * v for w, v in zip(weights, window, strict=True)) / sum(weights)
        for window in windows(values, period)
    ]


def stddev(values, period):
    return [None if window is None else statistics.pstdev(window) for window in windows(values, period)]


def highest(values, period):
    return [None if window is None else max(window) for window in windows(values, period)]


def lowest(values, period):
    return [None if window is None else min(window) for window in windows(values, period)]


def smoothed(values, period, weight, first):
    """Smooth exponentially from index `first` on, seeded by the mean of the last `period` values."""
    if len(values) <= first:
        return [None] * len(values)
    result = [*[None] * first, Fraction(sum(values[first - period + 1 : first + 1])) / period]
    for value in values[first + 1 :]:
        result.append(result[-1] + weight * (value - result[-1]))
    return result


def ema(values, period):
    return smoothed(values, period, Fraction(2, period + 1), period - 1)


def rsi(values, period):
    changes = [after - before for before, after in pairwise(values)]
    gains = smoothed([max(change, 0) for change in changes], period, Fraction(1, period), period - 1)
    losses = smoothed([max(-change, 0) for change in changes], period, Fraction(1, period), period - 1)
    return [
        None,
        *(
            None if gain is None else 50 if gain + loss == 0 else 100 * gain / (gain + loss)
            for gain, loss in zip(gains, losses, strict=True)
        ),
    ]


def momentum(values, period):
    return [value - values[t - period] if t >= period else None for t, value in enumerate(values)]


def roc(values, period):
    return [100 * (value / values[t - period] - 1) if t >= period else None for t, value in enumerate(values)]


def macd_line(values, fast, slow):
    of_fast = smoothed(values, fast, Fraction(2, fast + 1), slow - 1)
    of_slow = smoothed(values, slow, Fraction(2, slow + 1), slow - 1)
    return [None if f is None else f - s for f, s in zip(of_fast, of_slow, strict=True)]


def atr(high, low, close, period):
    ranges = [
        max(high[t] - low[t], abs(high[t] - close[t - 1]), abs(low[t] - close[t - 1]))
        for t in range(1, len(close))
    ]
    return [None, *smoothed(ranges, period, Fraction(1, period), period - 1)]


def stochastic_k(high, low, close, period, smoothing):
    tops, bottoms = highest(high, period), lowest(low, period)
    places = [
        50 if top == bottom else 100 * (value - bottom) / (top - bottom)
        for top, bottom, value in zip(tops, bottoms, close, strict=True)
        if top is not None
    ]
    return [*[None] * (len(close) - len(places)), *sma(places, smoothing)]
