"""Exact values of expressions at chosen candles, for the comparisons that rounding would decide.

A price is the decimal that somebody wrote: the shortest one that reads as its float64. Sums, products and
windowed means of decimals are fractions, and are computed here as fractions: integer numerators over one
denominator. Quotients and square roots are rounded to 2^-1600, and two values that rest on such a rounding
are equal where they differ by less than 2^-1200. The smallest float64 above 0 is 2^-1074.

Averages that never forget (EMA, RSI, MACD, ATR, Keltner, Supertrend) have no exact values here.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.compute.engine.rules.check import columns_of_expression, constants_of, lookback
from services.compute.engine.rules.functions import FUNCTIONS
from services.compute.engine.rules.nodes import Call, Column, Expression, call
from services.shared.candles import Candles, PriceColumn

Integers = NDArray[Any]
"""int64 where everything fits, else Python's own integers in an array of objects."""
Positions = NDArray[np.intp]
"""Indices of candles, ascending, none of them twice."""

# These give one of the values that they read, or its opposite.
_SELECTIONS = frozenset(("negate", "shift", "highest", "lowest"))
_EXACT = _SELECTIONS | frozenset(
    (
        *("add", "subtract", "multiply", "divide", "sma", "wma", "stddev", "momentum", "roc", "true_range"),
        *("bollinger_lower", "bollinger_upper", "stochastic_k", "stochastic_d"),
    )
)
# In a stochastic: where the close is between the lowest and the highest. No function of the language.
PLACE = "place"

_PLACES = 1600
_TIE_PLACES = 1200
# A decimal of up to 15 digits is the only one of so few digits that reads as its float64.
_MOST_TICKS = 1e15
# The last power of ten that a float64 holds exactly.
_MOST_DECIMALS = 22
# Integers below this have room for a sign and a sum in an int64.
_ROOM = 2**62


def decided_by_rounding(left: Expression, right: Expression) -> bool:
    """Return whether a comparison of two series has an exact answer that their float64 values can miss."""
    return _may_be_exact(left) and _may_be_exact(right) and _decided_by_rounding(left, right)


def _may_be_exact(node: Expression) -> bool:
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
        case "stochastic_k":
            basic = call("sma", Call(PLACE, arguments[:4]), arguments[4])
        case "stochastic_d":
            basic = call("sma", call("stochastic_k", *arguments[:5]), arguments[5])
    return basic


@lru_cache(maxsize=4096)
def _is_exact(node: Expression) -> bool:
    if not isinstance(node, Call):
        return True
    return _may_be_exact(node) and all(map(_is_exact, node.arguments))


@lru_cache(maxsize=4096)
def _rounds(node: Expression) -> bool:
    if not isinstance(node, Call):
        return False
    return node.function not in _SELECTIONS or any(map(_rounds, node.arguments))


@dataclass(frozen=True, slots=True)
class Ratios:
    """Values at k positions: numerators of shape (k,) over a denominator above 0.

    `rounded` tells that a quotient or a square root in them is off by 2^-1600.
    """

    numerators: Integers
    denominator: int
    rounded: bool = False


class ExactValues:
    """Exact values of expressions over `candles`.

    Positions are those at which the float64 values of the expression are defined: every candle that the
    expression looks back to is there.
    """

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        # Decimals that the values of a column were found to have, so that they are not looked for again.
        self._decimals: dict[str, int] = {}

    def order(self, left: Expression, right: Expression, at: Positions) -> NDArray[np.int64]:
        """Return -1, 0 or 1 at each position: left is below right, equal, or above; int64 of shape (k,)."""
        # Where nothing has moved for longer than both look back, the order is that of the candle before.
        moved = self._moved(left, right)[at]
        moved[1:] |= np.diff(at) > 1
        moved[:1] = True
        order: NDArray[np.int64] = self._order(left, right, at[moved])[np.cumsum(moved) - 1]
        return order

    def _moved(self, left: Expression, right: Expression) -> NDArray[np.bool_]:
        """Return at which candles anything has moved in those that the series look back to, and one more."""
        count = len(self._candles)
        last_move = np.zeros(count, np.int64)
        for name in columns_of_expression(left) | columns_of_expression(right):
            values: PriceColumn = getattr(self._candles, name)
            moves = np.flatnonzero(values[1:] != values[:-1]) + 1
            last_move[moves] = moves
        np.maximum.accumulate(last_move, out=last_move)
        return np.arange(count) - last_move <= max(lookback(left), lookback(right))

    def _order(self, left: Expression, right: Expression, at: Positions) -> NDArray[np.int64]:
        (first, second), denominator, rounded = _common(self._ratios(left, at), self._ratios(right, at))
        difference = _with_room(first, 2) - _with_room(second, 2)
        signs: NDArray[np.int64] = np.sign(difference).astype(np.int64)
        if rounded:
            signs[np.abs(difference).astype(object) * 2**_TIE_PLACES < denominator] = 0
        return signs

    def _ratios(self, node: Expression, at: Positions) -> Ratios:
        if isinstance(node, Call):
            return self._of_call(in_basic_functions(node), at)
        if isinstance(node, Column):
            return self._of_column(node.name, at)
        value = Fraction(repr(node.value))
        return Ratios(_integers([value.numerator] * len(at)), value.denominator)

    def _of_call(self, node: Call, at: Positions) -> Ratios:
        name, arguments = node.function, node.arguments
        if name == PLACE:
            return self._place(arguments, at)
        if name == "true_range":
            return self._true_range(arguments, at)
        if name in _BINARY:
            return _BINARY[name](*(self._ratios(child, at) for child in arguments))
        (period,) = map(int, constants_of(FUNCTIONS[name], node))
        if name == "shift":
            return self._ratios(arguments[0], at - period)
        seen = _seen_through(at, period)
        return _WINDOWED[name](self._ratios(arguments[0], seen), np.searchsorted(seen, at), period)

    def _of_column(self, name: str, at: Positions) -> Ratios:
        values: PriceColumn = getattr(self._candles, name)[at]
        for decimals in (self._decimals.get(name, 0), *range(_MOST_DECIMALS + 1)):
            power = 10.0**decimals
            with np.errstate(over="ignore"):
                ticks = np.rint(values * power)
            if ((np.abs(ticks) <= _MOST_TICKS) & (ticks / power == values)).all():
                self._decimals[name] = decimals
                return Ratios(ticks.astype(np.int64), 10**decimals)
        written = [Fraction(repr(value)) for value in values.tolist()]
        denominator = math.lcm(*(value.denominator for value in written))
        return Ratios(
            _integers([value.numerator * (denominator // value.denominator) for value in written]),
            denominator,
        )

    def _true_range(self, inputs: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low = (self._ratios(child, at) for child in inputs[:2])
        before = self._ratios(inputs[2], at - 1)
        (high_, low_, before_), denominator, rounded = _common(high, low, before, room=2)
        reach = np.maximum(np.abs(high_ - before_), np.abs(low_ - before_))
        return Ratios(np.maximum(high_ - low_, reach), denominator, rounded)

    def _place(self, arguments: tuple[Expression, ...], at: Positions) -> Ratios:
        high, low, close, period = arguments
        bounds = call("lowest", low, period), call("highest", high, period)
        parts = (self._ratios(part, at) for part in (*bounds, close))
        (lowest, highest, close_), _, _ = _common(*parts, room=2)
        room = highest - lowest
        percent = _quotient(100 * (close_ - lowest).astype(object), room)
        return Ratios(np.where(room == 0, 50 << _PLACES, percent), 1 << _PLACES, rounded=True)


def _integers(values: list[int]) -> Integers:
    return np.array(values, np.int64 if max(map(abs, values), default=0) < _ROOM else object)


def _with_room(numbers: Integers, times: int) -> Integers:
    """Return the numbers as a type that also holds products with up to `times`."""
    if numbers.dtype == object or _largest(numbers) * abs(times) < _ROOM:
        return numbers
    return numbers.astype(object)


def _largest(numbers: Integers) -> int:
    return int(np.abs(numbers).max(initial=1))


def _scaled(ratios: Ratios, factor: int) -> Ratios:
    numerators = _with_room(ratios.numerators, factor) * factor
    return Ratios(numerators, ratios.denominator, ratios.rounded)


def _common(*ratios: Ratios, room: int = 1) -> tuple[list[Integers], int, bool]:
    """Return the numerators over a common denominator, that, and whether any are rounded.

    There is room for `room` times as large numerators.
    """
    denominator = math.lcm(*(each.denominator for each in ratios))
    numerators = [_scaled(each, denominator // each.denominator).numerators for each in ratios]
    return [_with_room(each, room) for each in numerators], denominator, any(each.rounded for each in ratios)


def _add(left: Ratios, right: Ratios) -> Ratios:
    (first, second), denominator, rounded = _common(left, right, room=2)
    return Ratios(first + second, denominator, rounded)


def _subtract(left: Ratios, right: Ratios) -> Ratios:
    return _add(left, _scaled(right, -1))


def _multiply(left: Ratios, right: Ratios) -> Ratios:
    numerators = _with_room(left.numerators, _largest(right.numerators)) * right.numerators
    return Ratios(numerators, left.denominator * right.denominator, left.rounded or right.rounded)


def _divide(left: Ratios, right: Ratios) -> Ratios:
    (first, second), _, _ = _common(left, right)
    return Ratios(_quotient(first.astype(object), second), 1 << _PLACES, rounded=True)


def _quotient(above: Integers, below: Integers) -> Integers:
    """Return the quotients in units of 2^-1600; over zero, where there is none, anything."""
    result: Integers = above * (1 << _PLACES) // np.where(below == 0, 1, below.astype(object))
    return result


def _seen_through(at: Positions, period: int) -> Positions:
    """Return all positions in the windows of `period` candles that end at the given ones."""
    starts_less_ends = np.zeros(int(at[-1]) + 2, np.int64)
    starts_less_ends[at - (period - 1)] += 1
    starts_less_ends[at + 1] -= 1
    return np.flatnonzero(np.cumsum(starts_less_ends))


def _sums(numbers: Integers, ends: Positions, period: int) -> Integers:
    """Return the sums of the windows that end at the indices `ends`."""
    numbers = _with_room(numbers, len(numbers))
    sums = np.concatenate((np.zeros(1, numbers.dtype), np.cumsum(numbers)))
    result: Integers = sums[ends + 1] - sums[ends + 1 - period]
    return result


def _sma(values: Ratios, ends: Positions, period: int) -> Ratios:
    return Ratios(_sums(values.numerators, ends, period), values.denominator * period, values.rounded)


def _wma(values: Ratios, ends: Positions, period: int) -> Ratios:
    # Weighted by their index, and the index of the value before the window taken off each weight.
    count = len(values.numerators)
    numbers = _with_room(values.numerators, count * count)
    by_index = _sums(numbers * np.arange(count).astype(numbers.dtype), ends, period)
    before = (ends - period).astype(numbers.dtype)
    weights = period * (period + 1) // 2
    return Ratios(
        by_index - before * _sums(numbers, ends, period), values.denominator * weights, values.rounded
    )


def _stddev(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = values.numerators.astype(object)
    squares, sums = _sums(numbers * numbers, ends, period), _sums(numbers, ends, period)
    scaled = (period * squares - sums * sums) * (1 << 2 * _PLACES) // (period * values.denominator) ** 2
    return Ratios(np.frompyfunc(math.isqrt, 1, 1)(scaled), 1 << _PLACES, rounded=True)


def _highest(values: Ratios, ends: Positions, period: int) -> Ratios:
    # Windows of 1, 2, 4 … and the last step of what is left.
    highest, size = values.numerators, 1
    while size < period:
        step = min(size, period - size)
        highest = np.concatenate((highest[:step], np.maximum(highest[step:], highest[:-step])))
        size += step
    return Ratios(highest[ends], values.denominator, values.rounded)


def _lowest(values: Ratios, ends: Positions, period: int) -> Ratios:
    return _scaled(_highest(_scaled(values, -1), ends, period), -1)


_BINARY = {"add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide}
_WINDOWED = {"sma": _sma, "wma": _wma, "stddev": _stddev, "highest": _highest, "lowest": _lowest}
