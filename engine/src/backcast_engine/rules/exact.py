"""Exact values of expressions at chosen candles, for the comparisons that rounding would decide.

A price is the decimal that was written: the shortest one that parses to its float64. Sums, products and
windowed means of decimals are fractions, and are computed here as fractions: integer numerators over one
denominator. Quotients and square roots are rounded to 2^-1600, and two values that rest on such a rounding
are equal where they differ by less than 2^-1200. The smallest float64 above 0 is 2^-1074.

Averages that never forget (EMA, RSI, MACD, ATR, Keltner, Supertrend) have no exact values here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.indicators.runs import COLUMN, compiled
from backcast_engine.rules.check import columns_of_expression, constants_of, lookback
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, call, on_other_candles
from backcast_engine.rules.ticks import ticks_of

Integers = NDArray[Any]
"""int64 where everything fits, else Python's own integers in an array of objects."""
Positions = NDArray[np.intp]
"""Indices of candles, ascending, none of them twice."""

# These give one of the values that they read, or its opposite.
_SELECTIONS = frozenset(("negate", "abs", "min", "max", "shift", "highest", "lowest"))
_EXACT = _SELECTIONS | frozenset(
    (
        *("add", "subtract", "multiply", "divide", "sma", "wma", "stddev", "momentum", "roc", "true_range"),
        *("bollinger_lower", "bollinger_upper", "stochastic_k", "stochastic_d", "zscore"),
    )
)
# In a stochastic: where the close is between the lowest and the highest. No function of the language.
PLACE = "place"

_PLACES = 1600
_TIE_PLACES = 1200
# So many positions are looked at one by one sooner than all candles are.
_FEW = 32
# Integers below this have room for a sign and a sum in an int64.
_ROOM = 2**62


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


@dataclass(frozen=True, slots=True)
class Ratios:
    """Values at k positions: numerators of shape (k,) over a denominator above 0.

    No numerator's magnitude is above `largest`, which is 1 or more. `rounded` means that a quotient or a
    square root in them is off by 2^-1600.
    """

    numerators: Integers
    denominator: int
    largest: int
    rounded: bool = False

    def at(self, indices: NDArray[np.intp]) -> "Ratios":
        """Return the values at some of the positions."""
        return Ratios(self.numerators[indices], self.denominator, self.largest, self.rounded)


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
        (first, second), denominator, _, rounded = _common(ratios[left], ratios[right], room=2)
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
        return Ratios(_integers([value.numerator] * len(at), largest), value.denominator, largest)

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
        if name in _BY_CANDLE:
            return _BY_CANDLE[name](*(self._ratios(child, at) for child in arguments))
        (period,) = map(int, constants_of(node))
        if name == "shift":
            return self._ratios(arguments[0], at - period)
        seen, ends = _seen_through(at, period)
        return _WINDOWED[name](self._ratios(arguments[0], seen), ends, period)

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
        return Ratios(_integers(numerators, largest), denominator, largest)

    def _true_range(self, inputs: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low = (self._ratios(child, at) for child in inputs[:2])
        before = self._ratios(inputs[2], at - 1)
        (high_, low_, before_), denominator, largest, rounded = _common(high, low, before, room=2)
        reach = np.maximum(np.abs(high_ - before_), np.abs(low_ - before_))
        return Ratios(np.maximum(high_ - low_, reach), denominator, 2 * largest, rounded)

    def _place(self, arguments: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low, close, period = arguments
        bounds = call("lowest", low, period), call("highest", high, period)
        parts = (self._ratios(part, at) for part in (*bounds, close))
        (lowest, highest, close_), _, largest, _ = _common(*parts, room=2)
        room = highest - lowest
        percent = _quotient(100 * (close_ - lowest).astype(object), room)
        percent[room == 0] = 50 << _PLACES
        return Ratios(percent, 1 << _PLACES, max(200 * largest, 50) << _PLACES, rounded=True)


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


def _integers(values: list[int], largest: int) -> Integers:
    return np.array(values, np.int64 if largest < _ROOM else object)


def _with_room(numbers: Integers, largest: int) -> Integers:
    """Return the numbers as a type that also holds results of up to `largest`."""
    return numbers if largest < _ROOM or numbers.dtype == object else numbers.astype(object)


def _common(*ratios: Ratios, room: int = 1) -> tuple[list[Integers], int, int, bool]:
    """Return the numerators over a common denominator, that, their largest, and whether any are rounded.

    There is room for `room` times as large numerators.
    """
    denominator = math.lcm(*[each.denominator for each in ratios])
    factors = [denominator // each.denominator for each in ratios]
    largest = max([each.largest * factor for each, factor in zip(ratios, factors, strict=True)])
    numerators = [
        _with_room(each.numerators, largest * room) * factor
        for each, factor in zip(ratios, factors, strict=True)
    ]
    return numerators, denominator, largest, any(each.rounded for each in ratios)


def concatenated(parts: list[Ratios]) -> Ratios:
    """Return the values of one or more lists behind each other."""
    numerators, denominator, largest, rounded = _common(*parts)
    return Ratios(np.concatenate(numerators), denominator, largest, rounded)


def _add(left: Ratios, right: Ratios) -> Ratios:
    (first, second), denominator, largest, rounded = _common(left, right, room=2)
    return Ratios(first + second, denominator, 2 * largest, rounded)


def _subtract(left: Ratios, right: Ratios) -> Ratios:
    return _add(left, _negated(right))


def _negated(values: Ratios) -> Ratios:
    return Ratios(-values.numerators, values.denominator, values.largest, values.rounded)


def _multiply(left: Ratios, right: Ratios) -> Ratios:
    largest = left.largest * right.largest
    numerators = _with_room(left.numerators, largest) * _with_room(right.numerators, largest)
    return Ratios(numerators, left.denominator * right.denominator, largest, left.rounded or right.rounded)


def _divide(left: Ratios, right: Ratios) -> Ratios:
    (first, second), _, largest, _ = _common(left, right)
    return Ratios(_quotient(first.astype(object), second), 1 << _PLACES, largest << _PLACES, rounded=True)


def _quotient(above: Integers, below: Integers) -> Integers:
    """Return the quotients in units of 2^-1600; over zero, where there is none, anything."""
    result: Integers = above * (1 << _PLACES) // np.where(below == 0, 1, below.astype(object))
    return result


def _sums(numbers: Integers, ends: Positions, period: int) -> Integers:
    """Return the sums of the windows that end at the indices `ends`; there is room for the sum of all."""
    sums = np.concatenate((np.zeros(1, numbers.dtype), np.cumsum(numbers)))
    result: Integers = sums[ends + 1] - sums[ends + 1 - period]
    return result


def _sma(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = _with_room(values.numerators, values.largest * len(values.numerators))
    sums = _sums(numbers, ends, period)
    return Ratios(sums, values.denominator * period, values.largest * period, values.rounded)


def _wma(values: Ratios, ends: Positions, period: int) -> Ratios:
    # Weighted by their index, and the index of the value before the window taken off each weight.
    count = len(values.numerators)
    numbers = _with_room(values.numerators, values.largest * count * count)
    by_index = _sums(numbers * np.arange(count).astype(numbers.dtype), ends, period)
    before = (ends - period).astype(numbers.dtype)
    weights = period * (period + 1) // 2
    sums = by_index - before * _sums(numbers, ends, period)
    return Ratios(sums, values.denominator * weights, values.largest * weights, values.rounded)


def _stddev(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = values.numerators.astype(object)
    squares, sums = _sums(numbers * numbers, ends, period), _sums(numbers, ends, period)
    scaled = (period * squares - sums * sums) * (1 << 2 * _PLACES) // (period * values.denominator) ** 2
    deviations = np.frompyfunc(math.isqrt, 1, 1)(scaled)
    return Ratios(deviations, 1 << _PLACES, values.largest << _PLACES, rounded=True)


def _highest(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = values.numerators
    if numbers.dtype == object:
        windows = np.lib.stride_tricks.sliding_window_view(numbers, period)
        highest = windows[ends - period + 1].max(axis=1)
    else:
        highest = _highest_numbers(numbers, ends, period)
    return Ratios(highest, values.denominator, values.largest, values.rounded)


@compiled(types.int64[::1], types.int64[::1], types.int64)
def _highest_numbers(numbers: NDArray[np.int64], ends: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    highest = np.empty(len(ends), np.int64)
    for i in range(len(ends)):
        highest[i] = numbers[ends[i]]
        for j in range(ends[i] - period + 1, ends[i]):
            highest[i] = max(highest[i], numbers[j])
    return highest


def _lowest(values: Ratios, ends: Positions, period: int) -> Ratios:
    return _negated(_highest(_negated(values), ends, period))


def _abs(values: Ratios) -> Ratios:
    return Ratios(np.abs(values.numerators), values.denominator, values.largest, values.rounded)


def _max(left: Ratios, right: Ratios) -> Ratios:
    (first, second), denominator, largest, rounded = _common(left, right)
    return Ratios(np.maximum(first, second), denominator, largest, rounded)


def _min(left: Ratios, right: Ratios) -> Ratios:
    return _negated(_max(_negated(left), _negated(right)))


_BY_CANDLE: dict[str, Callable[..., Ratios]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "abs": _abs,
    "min": _min,
    "max": _max,
}
_WINDOWED = {"sma": _sma, "wma": _wma, "stddev": _stddev, "highest": _highest, "lowest": _lowest}
