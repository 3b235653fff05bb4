"""Fractions in columns: numerators over one denominator, and the functions that are computed exactly on them.

Where the numbers fit, numerators are int64, else integers of Python.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from backcast_engine.indicators.runs import compiled

Integers = NDArray[Any]
"""int64 where everything fits, else Python's own integers in an array of objects."""
Positions = NDArray[np.intp]
"""Indices of candles, ascending, none of them twice."""

PLACES = 1600
"""Quotients and square roots are rounded to 2^-PLACES."""
# Integers below this have room for a sign and a sum in an int64.
_ROOM = 2**62


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


def integers(values: list[int], largest: int) -> Integers:
    """Return integers, none above `largest`, as a column."""
    return np.array(values, np.int64 if largest < _ROOM else object)


def with_room(numbers: Integers, largest: int) -> Integers:
    """Return the numbers as a type that also holds results of up to `largest`."""
    return numbers if largest < _ROOM or numbers.dtype == object else numbers.astype(object)


def common(*ratios: Ratios, room: int = 1) -> tuple[list[Integers], int, int, bool]:
    """Return the numerators over a common denominator, that, their largest, and whether any are rounded.

    There is room for `room` times as large numerators.
    """
    denominator = math.lcm(*[each.denominator for each in ratios])
    factors = [denominator // each.denominator for each in ratios]
    largest = max([each.largest * factor for each, factor in zip(ratios, factors, strict=True)])
    numerators = [
        with_room(each.numerators, largest * room) * factor
        for each, factor in zip(ratios, factors, strict=True)
    ]
    return numerators, denominator, largest, any(each.rounded for each in ratios)


def concatenated(parts: list[Ratios]) -> Ratios:
    """Return the values of one or more lists behind each other."""
    numerators, denominator, largest, rounded = common(*parts)
    return Ratios(np.concatenate(numerators), denominator, largest, rounded)


def _add(left: Ratios, right: Ratios) -> Ratios:
    (first, second), denominator, largest, rounded = common(left, right, room=2)
    return Ratios(first + second, denominator, 2 * largest, rounded)


def _subtract(left: Ratios, right: Ratios) -> Ratios:
    return _add(left, _negated(right))


def _negated(values: Ratios) -> Ratios:
    return Ratios(-values.numerators, values.denominator, values.largest, values.rounded)


def _multiply(left: Ratios, right: Ratios) -> Ratios:
    largest = left.largest * right.largest
    numerators = with_room(left.numerators, largest) * with_room(right.numerators, largest)
    return Ratios(numerators, left.denominator * right.denominator, largest, left.rounded or right.rounded)


def _divide(left: Ratios, right: Ratios) -> Ratios:
    (first, second), _, largest, _ = common(left, right)
    return Ratios(quotient(first.astype(object), second), 1 << PLACES, largest << PLACES, rounded=True)


def quotient(above: Integers, below: Integers) -> Integers:
    """Return the quotients in units of 2^-1600; over zero, where there is none, anything."""
    result: Integers = above * (1 << PLACES) // np.where(below == 0, 1, below.astype(object))
    return result


def _sums(numbers: Integers, ends: Positions, period: int) -> Integers:
    """Return the sums of the windows that end at the indices `ends`; there is room for the sum of all."""
    sums = np.concatenate((np.zeros(1, numbers.dtype), np.cumsum(numbers)))
    result: Integers = sums[ends + 1] - sums[ends + 1 - period]
    return result


def _sma(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = with_room(values.numerators, values.largest * len(values.numerators))
    sums = _sums(numbers, ends, period)
    return Ratios(sums, values.denominator * period, values.largest * period, values.rounded)


def _wma(values: Ratios, ends: Positions, period: int) -> Ratios:
    # Weighted by their index, and the index of the value before the window taken off each weight.
    count = len(values.numerators)
    numbers = with_room(values.numerators, values.largest * count * count)
    by_index = _sums(numbers * np.arange(count).astype(numbers.dtype), ends, period)
    before = (ends - period).astype(numbers.dtype)
    weights = period * (period + 1) // 2
    sums = by_index - before * _sums(numbers, ends, period)
    return Ratios(sums, values.denominator * weights, values.largest * weights, values.rounded)


def _stddev(values: Ratios, ends: Positions, period: int) -> Ratios:
    numbers = values.numerators.astype(object)
    squares, sums = _sums(numbers * numbers, ends, period), _sums(numbers, ends, period)
    scaled = (period * squares - sums * sums) * (1 << 2 * PLACES) // (period * values.denominator) ** 2
    deviations = np.frompyfunc(math.isqrt, 1, 1)(scaled)
    return Ratios(deviations, 1 << PLACES, values.largest << PLACES, rounded=True)


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
    (first, second), denominator, largest, rounded = common(left, right)
    return Ratios(np.maximum(first, second), denominator, largest, rounded)


def _min(left: Ratios, right: Ratios) -> Ratios:
    return _negated(_max(_negated(left), _negated(right)))


BY_CANDLE: dict[str, Callable[..., Ratios]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "abs": _abs,
    "min": _min,
    "max": _max,
}
WINDOWED = {"sma": _sma, "wma": _wma, "stddev": _stddev, "highest": _highest, "lowest": _lowest}
