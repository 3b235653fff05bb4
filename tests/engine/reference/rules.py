"""Expressions once more: a recursive evaluator with three-valued logic, candle by candle.

Every series carries how far rounding may have taken each value from another correct computation of it:
0 where there is one way to compute it only, infinity where nothing can be said. A condition is clear where
no such distance decides over it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from . import indicators as ind
from .signals import Decision

CLOSE_CALL = 1e-9


@dataclass
class Series:
    """A value for each candle, None where it is undefined, and how far it may be off.

    `roundings` are how far float64 may have taken it from the value of the decimals that are written: there
    is one way to compute `0.1 + 0.2` only, but comparisons take it for 0.3.
    """

    values: list[float | None]
    errors: list[float]
    roundings: list[float]


@dataclass
class Truth:
    """True, False or None (undefined) for each candle, and whether that is beyond doubt."""

    values: list[bool | None]
    clear: list[bool]


def decisions(strategy, candles):
    """Return a decision for each of the candles (an object with lists open, high, low, close, volume)."""
    n = len(candles.close)
    entry = truth(strategy.entry, candles)
    leave = Truth([False] * n, [True] * n) if strategy.exit is None else truth(strategy.exit, candles)
    return [
        Decision(entry.values[t] is True, leave.values[t] is True, entry.clear[t] and leave.clear[t])
        for t in range(n)
    ]


# What an expression needs to have seen


def lookback(strategy):
    """Return how many candles come before the first at which each expression can have a value."""
    return max(_before(node, _LOOKBACKS) for node in (strategy.entry, strategy.exit) if node is not None)


def warmup(strategy):
    """Return how many candles come before the window."""
    return max(_before(node, _WARMUPS) for node in (strategy.entry, strategy.exit) if node is not None)


def _before(node, table):
    if not hasattr(node, "function"):
        return 0
    inputs, numbers = _split(node)
    own = table[node.function](*numbers) if node.function in table else 0
    return own + max((_before(child, table) for child in inputs), default=0)


_LOOKBACKS = {
    "crosses_above": lambda: 1,
    "crosses_below": lambda: 1,
    "true_range": lambda: 1,
    **dict.fromkeys(("shift", "momentum", "roc", "rsi", "atr"), lambda n: n),
    **dict.fromkeys(("highest", "lowest", "sma", "ema", "wma", "stddev"), lambda n: n - 1),
    **dict.fromkeys(("bollinger_lower", "bollinger_upper"), lambda n, width: n - 1),
    **dict.fromkeys(("keltner_lower", "keltner_upper"), lambda n, atr, multiple: max(n - 1, atr)),
    **dict.fromkeys(
        ("macd", "macd_signal", "macd_histogram"),
        lambda fast, slow, signal: max(fast, slow) - 1 + signal - 1,
    ),
    "stochastic_k": lambda n, smoothing: n - 1 + smoothing - 1,
    "stochastic_d": lambda n, smoothing, signal: n - 1 + smoothing - 1 + signal - 1,
    "supertrend": lambda n, multiple: n,
    **dict.fromkeys(("tenkan", "kijun"), lambda n: n - 1),
    "senkou_a": lambda conversion, base, ahead: max(conversion, base) - 1 + ahead,
    "senkou_b": lambda n, ahead: n - 1 + ahead,
}
_WARMUPS = {
    **_LOOKBACKS,
    **dict.fromkeys(("rsi", "atr"), lambda n: 20 * n),
    "ema": lambda n: 10 * n,
    **dict.fromkeys(("keltner_lower", "keltner_upper"), lambda n, atr, multiple: max(10 * n, 20 * atr)),
    **dict.fromkeys(
        ("macd", "macd_signal", "macd_histogram"),
        lambda fast, slow, signal: 10 * max(fast, slow) + 10 * signal,
    ),
    "supertrend": lambda n, multiple: 20 * n,
}

# How many of a function's arguments are numbers, counted from the last.
_NUMBERS = {
    **dict.fromkeys(("shift", "highest", "lowest", "sma", "ema", "wma", "stddev"), 1),
    **dict.fromkeys(("momentum", "roc", "rsi", "atr"), 1),
    **dict.fromkeys(("bollinger_lower", "bollinger_upper", "stochastic_k", "supertrend"), 2),
    **dict.fromkeys(("keltner_lower", "keltner_upper", "stochastic_d"), 3),
    **dict.fromkeys(("macd", "macd_signal", "macd_histogram"), 3),
    **dict.fromkeys(("tenkan", "kijun"), 1),
    **{"senkou_a": 3, "senkou_b": 2},
}
_FACTORS = {"bollinger_lower", "bollinger_upper", "keltner_lower", "keltner_upper", "supertrend"}


def _split(node):
    count = _NUMBERS.get(node.function, 0)
    inputs = node.arguments[: len(node.arguments) - count]
    numbers = [argument.value for argument in node.arguments[len(inputs) :]]
    if node.function in _FACTORS:
        return inputs, [*map(int, numbers[:-1]), numbers[-1]]
    return inputs, [*map(int, numbers)]


# Conditions


def truth(node, candles):
    """Return where a condition holds."""
    name = node.function
    if name == "not":
        of = truth(node.arguments[0], candles)
        return Truth([None if value is None else not value for value in of.values], of.clear)
    if name in ("and", "or"):
        left, right = (truth(child, candles) for child in node.arguments)
        pairs = list(zip(left.values, right.values, strict=True))
        clear = [a and b for a, b in zip(left.clear, right.clear, strict=True)]
        return Truth([(_both if name == "and" else _either)(a, b) for a, b in pairs], clear)
    left, right = (series(child, candles) for child in node.arguments)
    if name not in ("crosses_above", "crosses_below"):
        return _compare(name, left, right)
    now = _compare("greater" if name == "crosses_above" else "less", left, right)
    then = _compare("less_equal" if name == "crosses_above" else "greater_equal", left, right)
    values = [_both(now.values[0], None)]
    values += [_both(now.values[t], then.values[t - 1]) for t in range(1, len(now.values))]
    clear = [now.clear[0]] + [now.clear[t] and then.clear[t - 1] for t in range(1, len(now.values))]
    return Truth(values, clear)


def _both(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _either(a, b):
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def _compare(name, left, right):
    holds = {
        "less": lambda a, b: a < b,
        "less_equal": lambda a, b: a <= b,
        "greater": lambda a, b: a > b,
        "greater_equal": lambda a, b: a >= b,
        "equal": lambda a, b: a == b,
        "not_equal": lambda a, b: a != b,
    }[name]
    values: list[bool | None] = []
    clear: list[bool] = []
    for t, (a, b) in enumerate(zip(left.values, right.values, strict=True)):
        error = left.errors[t] + right.errors[t] + left.roundings[t] + right.roundings[t]
        if a is None or b is None:
            values.append(None)
            clear.append(error < math.inf)
        else:
            values.append(holds(a, b))
            clear.append(error == 0 or abs(a - b) > error)
    return Truth(values, clear)


# Series


def series(node, candles):
    """Return the values of an expression that is a number at every candle."""
    n = len(candles.close)
    if hasattr(node, "value"):
        return Series([node.value] * n, [0.0] * n, [0.0] * n)
    if hasattr(node, "name"):
        return Series(list(getattr(candles, node.name)), [0.0] * n, [0.0] * n)
    inputs, numbers = _split(node)
    of = [series(child, candles) for child in inputs]
    if node.function in _ARITHMETIC:
        return _arithmetic(_ARITHMETIC[node.function], node.function, of)
    values = _INDICATORS[node.function](*(one.values for one in of), *numbers)
    # All that was seen until then has a say.
    largest = accumulate(
        (2 * sum(roundings) for roundings in zip(*(one.roundings for one in of), strict=True)), max
    )
    return Series(values, _errors(node.function, of, values), list(largest))


def _divide(a, b):
    return None if b == 0 else a / b


_ARITHMETIC = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": _divide,
    "negate": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
}


def _arithmetic(compute, name, of):
    values, errors = [], []
    for operands in zip(*(zip(one.values, one.errors, strict=True) for one in of), strict=True):
        numbers, distances = zip(*operands, strict=True)
        result = None if None in numbers else compute(*numbers)
        if result is not None and not math.isfinite(result):
            result = None
        values.append(result)
        if all(distance == 0 for distance in distances):
            errors.append(0.0)
        elif None in numbers or max(distances) == math.inf:
            errors.append(max(distances) if max(distances) == math.inf else 0.0)
        elif name in ("add", "subtract", "negate", "abs", "min", "max"):
            errors.append(sum(distances))
        else:
            (a, b), (a_error, b_error) = numbers, distances
            if name == "multiply":
                errors.append(abs(a) * b_error + abs(b) * a_error + a_error * b_error)
            elif abs(b) <= 2 * b_error:
                # Whether it is divided by zero is anyone's guess.
                errors.append(math.inf)
            else:
                errors.append(2 * (a_error + abs(result) * b_error) / abs(b))
    return Series(values, errors, _roundings(compute, name, of, values))


def _roundings(compute, name, of, results):
    roundings = []
    for t, result in enumerate(results):
        numbers, before = [one.values[t] for one in of], [one.roundings[t] for one in of]
        if result is None or (not any(before) and _is_as_written(compute, numbers, result)):
            roundings.append(0.0)
            continue
        largest = abs(result) if name in ("multiply", "divide") else max(map(abs, (*numbers, result)))
        # Factors and divisors multiply the roundings.
        near = max([1.0, *((1.0 + abs(result)) / abs(number) for number in numbers if number)])
        roundings.append(CLOSE_CALL * largest + 4 * sum(before) * near)
    return roundings


def _is_as_written(compute, numbers, result):
    """Return whether a result is that of the decimals that are written."""
    return compute(*(Fraction(repr(float(number))) for number in numbers)) == Fraction(repr(float(result)))


# There is one way to compute these only, so they are as exact as what they are given.
_EXACT = {"shift", "highest", "lowest", "momentum", "true_range"}
# A change of the inputs changes these by no more than twice as much.
_LINEAR = _EXACT | {"sma", "ema", "wma", "tenkan", "kijun", "senkou_a", "senkou_b"}


def _errors(name, of, values):
    """Return how far the values of an indicator may be off: all that was seen until then has a say."""
    errors, largest, inexact = [], 0.0, 0.0
    for t in range(len(values)):
        for one in of:
            inexact = max(inexact, one.errors[t])
            if one.values[t] is not None:
                largest = max(largest, abs(one.values[t]))
        if inexact > 0 and name not in _LINEAR:
            errors.append(math.inf)
            continue
        own = 0.0 if name in _EXACT else CLOSE_CALL * max(largest, abs(values[t] or 0.0))
        errors.append(2 * inexact + own)
    return _TURNS[name](of, errors) if name in _TURNS else errors


def _after_wild(of, errors):
    """Quotients of numbers that nearly cancel can be anything: say nothing where inputs are not prices."""
    usual = all(value is not None and value > 0 for one in of for value in one.values)
    return [max(error, CLOSE_CALL * 100) for error in errors] if usual else [math.inf] * len(errors)


_TURNS = dict.fromkeys(
    ("rsi", "roc", "stochastic_k", "stochastic_d", "supertrend", "macd", "macd_signal", "macd_histogram"),
    _after_wild,
)


def _bands(middle, reach, factor):
    return [None if m is None or r is None else m + factor * r for m, r in zip(middle, reach, strict=True)]


def _together(*columns):
    defined = [None not in row for row in zip(*columns, strict=True)]
    return [
        [value if is_defined else None for value, is_defined in zip(column, defined, strict=True)]
        for column in columns
    ]


def _keltner(sign):
    def band(high, low, close, period, atr_period, multiple):
        high, low, close = _together(high, low, close)
        return _bands(ind.ema(close, period), ind.atr(high, low, close, atr_period), sign * multiple)

    return band


def _stochastic(high, low, close, period, smoothing, signal=1):
    return ind.sma(ind.sma(ind.stochastic_raw(high, low, close, period), smoothing), signal)


def _middle(one, other):
    return [None if None in pair else sum(pair) / 2 for pair in zip(one, other, strict=True)]


def _midpoint(high, low, n):
    return _middle(ind.highest(high, n), ind.lowest(low, n))


def _senkou_a(high, low, conversion, base, ahead):
    return ind.shift(_middle(_midpoint(high, low, conversion), _midpoint(high, low, base)), ahead)


_INDICATORS = {
    **dict.fromkeys(("tenkan", "kijun"), _midpoint),
    "senkou_a": _senkou_a,
    "senkou_b": lambda high, low, n, ahead: ind.shift(_midpoint(high, low, n), ahead),
    "shift": ind.shift,
    "highest": ind.highest,
    "lowest": ind.lowest,
    "sma": ind.sma,
    "ema": ind.ema,
    "wma": ind.wma,
    "stddev": ind.stddev,
    "momentum": ind.momentum,
    "roc": ind.roc,
    "rsi": ind.rsi,
    "true_range": ind.true_range,
    "atr": ind.atr,
    "bollinger_lower": lambda s, n, width: _bands(ind.sma(s, n), ind.stddev(s, n), -width),
    "bollinger_upper": lambda s, n, width: _bands(ind.sma(s, n), ind.stddev(s, n), width),
    "keltner_lower": _keltner(-1),
    "keltner_upper": _keltner(1),
    "macd": lambda s, fast, slow, signal: ind.macd(s, fast, slow),
    "macd_signal": lambda s, fast, slow, signal: ind.ema(ind.macd(s, fast, slow), signal),
    "macd_histogram": lambda s, fast, slow, signal: _bands(
        ind.macd(s, fast, slow), ind.ema(ind.macd(s, fast, slow), signal), -1
    ),
    "stochastic_k": _stochastic,
    "stochastic_d": _stochastic,
    "supertrend": lambda high, low, close, n, multiple: ind.supertrend(high, low, close, n, multiple)[0],
}
