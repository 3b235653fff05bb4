"""The indicators once more, each value from its definition: lists of floats, None where undefined."""

import math
from typing import Any


def by_runs(indicator, *series):
    """Apply an indicator of lists of floats to each stretch in which all of the series are defined."""
    n = len(series[0])
    result, start = [None] * n, 0
    for t in range(n + 1):
        if t < n and all(values[t] is not None for values in series):
            continue
        if t > start:
            result[start:t] = indicator(*(values[start:t] for values in series))
        start = t + 1
    return result


def mean(values):
    # Around one of them, so that the mean of equal values is that value.
    return values[0] + math.fsum(value - values[0] for value in values) / len(values)


def deviation(values):
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))


def rolling(of, values, period):
    """Return `of` the last `period` values."""

    def over(run):
        return [None if t < period - 1 else of(run[t - period + 1 : t + 1]) for t in range(len(run))]

    return by_runs(over, values)


def sma(values, period):
    return rolling(mean, values, period)


def stddev(values, period):
    return rolling(deviation, values, period)


def highest(values, period):
    return rolling(max, values, period)


def lowest(values, period):
    return rolling(min, values, period)


def wma(values, period):
    def weighted(seen):
        weights = range(1, period + 1)
        return seen[0] + math.fsum(
            weight * (value - seen[0]) for weight, value in zip(weights, seen, strict=True)
        ) / sum(weights)

    return rolling(weighted, values, period)


def _smoothed(run, period, weight):
    averages: list[Any] = []
    for t in range(len(run)):
        if t < period - 1:
            averages.append(None)
        elif t == period - 1:
            averages.append(mean(run[:period]))
        else:
            averages.append(averages[-1] + (run[t] - averages[-1]) * weight)
    return averages


def ema(values, period):
    return by_runs(lambda run: _smoothed(run, period, 2 / (period + 1)), values)


def wilder(values, period):
    return by_runs(lambda run: _smoothed(run, period, 1 / period), values)


def shift(values, n):
    return [values[t - n] if t >= n else None for t in range(len(values))]


def momentum(values, n):
    pairs = zip(values, shift(values, n), strict=True)
    return [None if value is None or earlier is None else value - earlier for value, earlier in pairs]


def roc(values, n):
    rates = []
    for change, earlier in zip(momentum(values, n), shift(values, n), strict=True):
        rate = 100 * (change / earlier) if change is not None and earlier else math.inf
        rates.append(rate if math.isfinite(rate) else None)
    return rates


def rsi(values, period):
    def over(run):
        changes = [run[t] - run[t - 1] for t in range(1, len(run))]
        gains = wilder([max(change, 0.0) for change in changes], period)
        losses = wilder([max(-change, 0.0) for change in changes], period)
        result = [None]
        for gain, loss in zip(gains, losses, strict=True):
            if gain is None:
                result.append(None)
            else:
                result.append(100 * (gain / (gain + loss)) if gain + loss > 0 else 50.0)
        return result

    return by_runs(over, values)


def true_range(high, low, close):
    def over(highs, lows, closes):
        return [None] + [
            max(highs[t] - lows[t], abs(highs[t] - closes[t - 1]), abs(lows[t] - closes[t - 1]))
            for t in range(1, len(closes))
        ]

    return by_runs(over, high, low, close)


def atr(high, low, close, period):
    return wilder(true_range(high, low, close), period)


def macd(values, fast, slow):
    """Return the line: both averages are seeded where the longer one can be."""
    longer = max(fast, slow)

    def over(run):
        if len(run) < longer:
            return [None] * len(run)
        line = [None] * len(run)
        averages = [_smoothed(run[longer - period :], period, 2 / (period + 1)) for period in (fast, slow)]
        for t in range(longer - 1, len(run)):
            line[t] = averages[0][t - longer + fast] - averages[1][t - longer + slow]
        return line

    return by_runs(over, values)


def stochastic_raw(high, low, close, period):
    """Return where between the lowest low and the highest high the close is, in percent."""

    def over(highs, lows, closes):
        places: list[Any] = [None] * len(closes)
        for t in range(period - 1, len(closes)):
            top, bottom = max(highs[t - period + 1 : t + 1]), min(lows[t - period + 1 : t + 1])
            places[t] = 100 * ((closes[t] - bottom) / (top - bottom)) if top != bottom else 50.0
        return places

    return by_runs(over, high, low, close)


def supertrend(high, low, close, period, multiple):
    """Return the line, and where no turn so far was left to rounding."""
    ranges = atr(high, low, close, period)
    line, clear = [None] * len(close), [True] * len(close)
    lower = upper = None
    up, sure = False, True
    for t in range(len(close)):
        if ranges[t] is None:
            lower = upper = None
            up, sure = False, True
            continue
        middle = (high[t] + low[t]) / 2
        below, above = middle - multiple * ranges[t], middle + multiple * ranges[t]
        if lower is None:
            lower, upper = below, above
        else:
            # A band that a close went through starts again.
            sure = sure and _apart(close[t - 1], lower) and _apart(close[t - 1], upper)
            lower = below if close[t - 1] < lower else max(lower, below)
            upper = above if close[t - 1] > upper else min(upper, above)
        sure = sure and _apart(close[t], lower) and _apart(close[t], upper)
        if up and close[t] < lower:
            up = False
        elif not up and close[t] > upper:
            up = True
        line[t], clear[t] = (lower if up else upper), sure
    return line, clear


def _apart(value, level):
    return abs(value - level) > 1e-9 * max(abs(value), abs(level))
