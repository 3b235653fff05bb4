"""Exact values of expressions at chosen candles, for the comparisons that rounding would decide.

A price is the decimal that was written: the shortest one that parses to its float64. Sums, products and
windowed means of decimals are fractions, and are computed here as fractions: integer numerators over one
denominator. Quotients and square roots are rounded to 2^-1600, and two values that rest on such a rounding
are equal where they differ by less than 2^-1200. The smallest float64 above 0 is 2^-1074.

Averages that never forget (EMA, RSI, MACD, ATR, Keltner, Supertrend) have no exact values here.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numba import types
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.indicators.runs import COLUMN, compiled
from backcast_engine.rules.check import columns_of_expression, constants_of, lookback
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, call, on_other_candles
from backcast_engine.rules.ratios import (
    BY_CANDLE,
    PLACES,
    WINDOWED,
    Positions,
    Ratios,
    common,
    integers,
    quotient,
)
from backcast_engine.rules.ticks import ticks_of

# These give one of the values that they read, or its opposite.
_SELECTIONS = frozenset(("negate", "abs", "min", "max", "shift", "highest", "lowest"))
_EXACT = _SELECTIONS | frozenset(
    (
        *("add", "subtract", "multiply", "divide", "sma", "wma", "stddev", "momentum", "roc", "true_range"),
        *("bollinger_lower", "bollinger_upper", "stochastic_k", "stochastic_d", "zscore"),
        *("tenkan", "kijun", "senkou_a", "senkou_b"),
    )
)
# In a stochastic: where the close is between the lowest and the highest. No function of the language.
PLACE = "place"

_TIE_PLACES = 1200
# So many positions are looked at one by one sooner than all candles are.
_FEW = 32


def decided_by_rounding(left: Expression, right: Expression) -> bool:
    """Return whether a comparison of two series has an exact answer that their float64 values can miss."""
    return _may_be_exact(left) and _may_be_exact(right) and _decided_by_rounding(left, right)


def _may_be_exact(node: Expression) -> bool:
    if isinstance(node, On):
        node = node.part
    return not isinstance(node, Call) or node.function in _EXACT


@lru_cache(maxsize=4096)
def _decided_by_rounding(left: Expression, right: Expression) -> bool:
    return _is_exact(left) and _is_exact(right) and (_rounds(left) or _rounds(right))


@lru_cache(maxsize=4096)
def in_basic_functions(node: Call) -> Call:
    """Return an equal expression whose outermost function is one that exact values are written for."""
    arguments, basic = node.arguments, node
    match node.function:
        case "negate":
            basic = call("multiply", -1.0, *arguments)
        case "momentum":
            basic = call("subtract", arguments[0], call("shift", *arguments))
        case "roc":
            ratio = call("divide", call("momentum", *arguments), call("shift", *arguments))
            basic = call("multiply", 100.0, ratio)
        case "bollinger_lower" | "bollinger_upper":
            series, period, width = arguments
            reach = call("multiply", width, call("stddev", series, period))
            basic = call(
                "add" if node.function == "bollinger_upper" else "subtract",
                call("sma", series, period),
                reach,
            )
        case "zscore":
            distance = call("subtract", arguments[0], call("sma", *arguments))
            basic = call("divide", distance, call("stddev", *arguments))
        case "tenkan" | "kijun":
            high, low, period = arguments
            range_ = call("add", call("highest", high, period), call("lowest", low, period))
            basic = call("multiply", 0.5, range_)
        case "senkou_a":
            high, low, conversion, base, displacement = arguments
            lines = call("add", call("tenkan", high, low, conversion), call("kijun", high, low, base))
            basic = call("shift", call("multiply", 0.5, lines), displacement)
        case "senkou_b":
            basic = call("shift", call("kijun", *arguments[:3]), arguments[3])
        case "stochastic_k":
            basic = call("sma", call(PLACE, *arguments[:4]), arguments[4])
        case "stochastic_d":
            basic = call("sma", call("stochastic_k", *arguments[:5]), arguments[5])
    return basic


@lru_cache(maxsize=4096)
def _is_exact(node: Expression) -> bool:
    if isinstance(node, On):
        return _is_exact(node.part)
    if not isinstance(node, Call):
        return True
    return _may_be_exact(node) and all(map(_is_exact, node.arguments))


@lru_cache(maxsize=4096)
def _rounds(node: Expression) -> bool:
    if isinstance(node, On):
        return _rounds(node.part)
    if not isinstance(node, Call):
        return False
    return node.function not in _SELECTIONS or any(map(_rounds, node.arguments))


OfOthers = Callable[[On, Positions], Ratios]


class ExactValues:
    """Exact values of expressions over `candles`.

    Positions are those at which the float64 values of the expression are defined: every candle that the
    expression looks back to is there.
    """

    def __init__(self, candles: Candles, of_others: OfOthers) -> None:
        """`of_others` returns the exact values of a part on other candles, at such positions."""
        self._candles = candles
        self._of_others = of_others
        # Calls of the present comparison, where they were looked at, and their values: its sides share some.
        self._found: dict[Call, tuple[Positions, Ratios]] = {}
        # Decimals that values were found to have: those of other columns are mostly as many.
        self._decimals = 0

    def order(self, left: Expression, right: Expression, at: Positions) -> NDArray[np.int64]:
        """Return -1, 0 or 1 at each position: left is below right, equal, or above; int64 of shape (k,)."""
        # What has moved on other candles is not known here.
        if len(at) <= _FEW or any(next(on_other_candles(side), None) for side in (left, right)):
            return self._order(left, right, at)
        # Where nothing has moved for longer than both look back, the order is that of the candle before.
        moved = self._moved(left, right)[at]
        moved[1:] |= np.diff(at) > 1
        moved[:1] = True
        order: NDArray[np.int64] = self._order(left, right, at[moved])[np.cumsum(moved) - 1]
        return order

    def ratios(self, node: Expression, at: Positions) -> Ratios:
        """Return the values of a series."""
        found = self._ratios(node, at)
        self._found.clear()
        return found

    def _moved(self, left: Expression, right: Expression) -> NDArray[np.bool_]:
        """Return at which candles anything has moved in those that the series look back to, and one more."""
        count = len(self._candles)
        last_move = np.zeros(count, np.int64)
        for name in columns_of_expression(left) | columns_of_expression(right):
            _see_moves(getattr(self._candles, name), last_move)
        return np.arange(count) - last_move <= max(lookback(left), lookback(right))

    def _order(self, left: Expression, right: Expression, at: Positions) -> NDArray[np.int64]:
        # What looks back further has seen what the other one looks at.
        deeper, other = (left, right) if lookback(left) >= lookback(right) else (right, left)
        ratios = {deeper: self._ratios(deeper, at)}
        ratios[other] = self._ratios(other, at)
        self._found.clear()
        (first, second), denominator, _, rounded = common(ratios[left], ratios[right], room=2)
        difference = first - second
        if rounded:
            difference[np.abs(difference) * 2**_TIE_PLACES < denominator] = 0
        signs: NDArray[np.int64] = np.sign(difference).astype(np.int64, copy=False)
        return signs

    def _ratios(self, node: Expression, at: Positions) -> Ratios:
        if isinstance(node, Call):
            return self._of_known_call(node, at)
        if isinstance(node, Column):
            return self._of_column(node.name, at)
        if isinstance(node, On):
            return self._of_others(node, at)
        assert isinstance(node, Number)
        value = Fraction(repr(node.value))
        largest = max(1, abs(value.numerator))
        return Ratios(integers([value.numerator] * len(at), largest), value.denominator, largest)

    def _of_known_call(self, node: Call, at: Positions) -> Ratios:
        if (found := self._found.get(node)) is not None:
            seen, values = found
            indices = np.minimum(np.searchsorted(seen, at), len(seen) - 1)
            if np.array_equal(seen[indices], at):
                return values.at(indices)
        values = self._of_call(in_basic_functions(node), at)
        self._found[node] = at, values
        return values

    def _of_call(self, node: Call, at: Positions) -> Ratios:
        name, arguments = node.function, node.arguments
        if name == PLACE:
            return self._place(arguments, at)
        if name == "true_range":
            return self._true_range(arguments, at)
        if name in BY_CANDLE:
            return BY_CANDLE[name](*(self._ratios(child, at) for child in arguments))
        (period,) = map(int, constants_of(node))
        if name == "shift":
            return self._ratios(arguments[0], at - period)
        seen, ends = _seen_through(at, period)
        return WINDOWED[name](self._ratios(arguments[0], seen), ends, period)

    def _of_column(self, name: str, at: Positions) -> Ratios:
        values: PriceColumn = getattr(self._candles, name)[at]
        ticks = ticks_of(values, self._decimals)
        if ticks is not None:
            self._decimals = max(ticks.decimals, self._decimals)
            return Ratios(ticks.numbers, 10**ticks.decimals, ticks.largest)
        written = [Fraction(repr(value)) for value in values.tolist()]
        denominator = math.lcm(*(value.denominator for value in written))
        numerators = [value.numerator * (denominator // value.denominator) for value in written]
        largest = max(1, *map(abs, numerators))
        return Ratios(integers(numerators, largest), denominator, largest)

    def _true_range(self, inputs: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low = (self._ratios(child, at) for child in inputs[:2])
        before = self._ratios(inputs[2], at - 1)
        (high_, low_, before_), denominator, largest, rounded = common(high, low, before, room=2)
        reach = np.maximum(np.abs(high_ - before_), np.abs(low_ - before_))
        return Ratios(np.maximum(high_ - low_, reach), denominator, 2 * largest, rounded)

    def _place(self, arguments: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low, close, period = arguments
        bounds = call("lowest", low, period), call("highest", high, period)
        parts = (self._ratios(part, at) for part in (*bounds, close))
        (lowest, highest, close_), _, largest, _ = common(*parts, room=2)
        room = highest - lowest
        percent = quotient(100 * (close_ - lowest).astype(object), room)
        percent[room == 0] = 50 << PLACES
        return Ratios(percent, 1 << PLACES, max(200 * largest, 50) << PLACES, rounded=True)


@compiled(COLUMN, types.int64[::1])
def _see_moves(values: PriceColumn, last_move: NDArray[np.int64]) -> None:
    """Raise each candle's `last_move` to the last candle up to it at which the values have moved."""
    last = 0
    for t in range(1, len(values)):
        if values[t] != values[t - 1]:
            last = t
        last_move[t] = max(last_move[t], last)


@compiled(types.int64[::1], types.int64)
def _seen_through(at: Positions, period: int) -> tuple[Positions, Positions]:
    """Return all positions in the windows of `period` candles that end at `at`, and where `at` is in them.

    There is at least one position.
    """
    seen, ends = np.empty(min(len(at) * period, at[-1] + 1), np.int64), np.empty(len(at), np.int64)
    count, following = 0, 0
    for i in range(len(at)):
        for position in range(max(following, at[i] - period + 1), at[i] + 1):
            seen[count] = position
            count += 1
        following = at[i] + 1
        ends[i] = count - 1
    return seen[:count].copy(), ends
