"""Bounds of the rounding errors of an expression's float64 values.

Each operation has a bound, from the standard model of rounding: N. J. Higham, Accuracy and Stability of
Numerical Algorithms, 2002, chapters 2 to 4. A bound only has to be safe: values that are closer than it are
compared exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numba import types
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.indicators.runs import COLUMN, compiled, magnitude_bits
from backcast_engine.rules.check import columns_of_expression, constants_of
from backcast_engine.rules.exact import PLACE, in_basic_functions
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, call

# Half the distance from 1 to the next float64, and the distance of those next to 0.
_UNIT = 2.0**-53
_SMALLEST = 2.0**-1074

# With prices from here on, no rounding error of a price falls below the smallest float64.
_LEAST_SCALABLE = 2.0**-800
# These are as many times larger as all that they read is; so are multiples by a number.
_HOMOGENEOUS = frozenset(
    (
        *("add", "subtract", "negate", "shift", "highest", "lowest", "sma", "wma", "stddev", "momentum"),
        *("true_range", "bollinger_lower", "bollinger_upper", "tenkan", "kijun", "senkou_a", "senkou_b"),
    )
)

Bound = float | PriceColumn
"""The same at every candle, or a column of shape (n,)."""


@dataclass(slots=True)
class Bounds:
    """Cached findings about some candles: the largest magnitudes of columns, and bounds of expressions."""

    largest: dict[str, float] = field(default_factory=dict)
    accuracies: dict[Expression, "Accuracy"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Bounds of a series: of its magnitude, and of the errors of its float64 values."""

    magnitude: Bound
    error: Bound

    def off_by(self, error: Bound) -> "Accuracy":
        """Return the same with a further error."""
        return Accuracy(self.magnitude, self.error + error + _SMALLEST)


def positions_within(column: PriceColumn, other: Bound, tolerance: Bound) -> NDArray[np.intp]:
    """Return the indices at which a column of shape (n,) is no further than the tolerance from the other.

    The other is a column too, or the same number at every candle.
    """
    if isinstance(tolerance, np.ndarray):
        with np.errstate(all="ignore"):
            return np.flatnonzero(np.abs(column - other) <= tolerance)
    if isinstance(other, np.ndarray):
        return _positions_within(column, other, tolerance)
    return _positions_near(column, other, tolerance)


@compiled(COLUMN, types.float64, types.float64)
def _positions_near(column: PriceColumn, number: float, tolerance: float) -> NDArray[np.intp]:
    # A shortcut, as below.
    count = 0
    for t in range(len(column)):
        count += abs(column[t] - number) <= tolerance
    positions, found = np.empty(count, np.int64), 0
    for t in range(len(column) if count else 0):
        if abs(column[t] - number) <= tolerance:
            positions[found] = t
            found += 1
    return positions


@compiled(COLUMN, COLUMN, types.float64)
def _positions_within(left: PriceColumn, right: PriceColumn, tolerance: float) -> NDArray[np.intp]:
    # A shortcut: usually there are none, and counting is vectorized.
    count = 0
    for t in range(len(left)):
        count += abs(left[t] - right[t]) <= tolerance
    positions, found = np.empty(count, np.int64), 0
    for start in range(0, len(left) if count else 0, 256):
        left_here, right_here, here = left[start : start + 256], right[start : start + 256], 0
        for t in range(len(left_here)):
            here += abs(left_here[t] - right_here[t]) <= tolerance
        for t in range(len(left_here) if here else 0):
            if abs(left_here[t] - right_here[t]) <= tolerance:
                positions[found] = start + t
                found += 1
    return positions


def _widest(bound: Bound) -> float:
    # What is NaN belongs to a candle at which there is no value.
    return float(np.fmax.reduce(bound, initial=0.0)) if isinstance(bound, np.ndarray) else bound


class Rounding:
    """Bounds for expressions over `candles` that have exact values (see `exact`).

    `series` gives the float64 values of an expression; what something is divided by is looked at. `of_others`
    gives the bounds of a part on other candles. `kept` is what was found before on the same candles; more is
    added.
    """

    def __init__(
        self,
        candles: Candles,
        series: Callable[[Expression], PriceColumn],
        of_others: Callable[[On], "Accuracy"],
        kept: Bounds,
    ) -> None:
        self._candles, self._series, self._of_others, self._kept = candles, series, of_others, kept

    def tolerance(self, left: Expression, right: Expression) -> Bound:
        """Return the distance from which on the float64 values of two series are in the right order."""
        if (scaled := self._scaled_tolerance(left, right)) is not None:
            return scaled
        with np.errstate(all="ignore"):
            return _tolerance(self.bounds(left), self.bounds(right))

    def _scaled_tolerance(self, left: Expression, right: Expression) -> float | None:
        """Return the tolerance as a multiple of the largest price; None if it is not one."""
        relative = _relative_tolerance(left, right)
        if relative is None:
            return None
        columns, multiple = relative
        largest = max([self._largest(column) for column in columns])
        return largest * multiple if largest > _LEAST_SCALABLE else None

    def bounds(self, node: Expression) -> Accuracy:
        """Return the bounds of an expression."""
        if isinstance(node, Call):
            kept = self._kept.accuracies.get(node)
            if kept is None:
                kept = self._of_call(in_basic_functions(node))
                if not isinstance(kept.error, np.ndarray):
                    self._kept.accuracies[node] = kept
            return kept
        if isinstance(node, Number):
            return _read(abs(node.value))
        if isinstance(node, On):
            return self._of_others(node)
        assert isinstance(node, Column)
        return _read(self._largest(node.name))

    def _largest(self, column: str) -> float:
        """Return the largest magnitude in a column, which holds finite values."""
        largest = self._kept.largest.get(column)
        if largest is None:
            bits = magnitude_bits(getattr(self._candles, column))
            largest = self._kept.largest[column] = float(np.int64(bits).view(np.float64))
        return largest

    def _of_call(self, node: Call) -> Accuracy:
        name, arguments = node.function, node.arguments
        if name == PLACE:
            return self._place(arguments)
        if name in _BY_CANDLE:
            return _BY_CANDLE[name](*map(self.bounds, arguments))
        if name == "divide":
            left, right = arguments
            return _quotient(self.bounds(left), self.bounds(right), self._series(left), self._series(right))
        if name == "true_range":
            widest = Accuracy(*self._widest_of(arguments))
            return _sum(widest, widest)
        # These look at several candles.
        inner = self.bounds(arguments[0])
        inner = Accuracy(_widest(inner.magnitude), _widest(inner.error))
        (period,) = constants_of(node)
        return inner.off_by(_WINDOW_UNITS[name](period) * _UNIT * inner.magnitude)

    def _widest_of(self, series: tuple[Expression, ...]) -> tuple[float, float]:
        """Return the largest magnitude and the largest error of several series."""
        inputs = [self.bounds(child) for child in series]
        magnitudes, errors = (
            [_widest(getattr(each, name)) for each in inputs] for name in ("magnitude", "error")
        )
        return max(magnitudes), max(errors)

    def _place(self, arguments: tuple[Expression, ...]) -> Accuracy:
        high, low, close, period = arguments
        # Of a difference of two of the three.
        largest, error = self._widest_of(arguments[:3])
        error = 2 * (error + 2 * _UNIT * largest) + _SMALLEST
        bounds = (self._series(call("lowest", low, period)), self._series(call("highest", high, period)))
        least, place = _least_room(*bounds, self._series(close))
        # Without room it is 50, exactly.
        if least == np.inf:
            return Accuracy(50.0, 0.0)
        if least <= error:
            return Accuracy(np.inf, np.inf)
        # As in _quotient, but of single numbers, for which NumPy takes long.
        magnitude = (place * least + error) / (least - error)
        quotient_error = (error + magnitude * error) / (least - error) + 2 * _UNIT * magnitude
        return _product(Accuracy(magnitude, quotient_error + _SMALLEST), Accuracy(100.0, 0.0))


class _OfUnitPrices(Rounding):
    """Bounds for homogeneous expressions, which need no candles, over prices of up to 1."""

    def __init__(self) -> None:
        super().__init__(Candles.empty(), lambda _: np.empty(0), lambda _: Accuracy(np.inf, np.inf), Bounds())

    def _largest(self, column: str) -> float:
        return 1.0


@lru_cache(maxsize=4096)
def _relative_tolerance(left: Expression, right: Expression) -> tuple[tuple[str, ...], float] | None:
    """Return the columns that two series read, and the tolerance in units of their largest magnitude.

    None where the tolerance is no multiple of that magnitude.
    """
    if not (_is_homogeneous(left) and _is_homogeneous(right)):
        return None
    rounding = _OfUnitPrices()
    tolerance = _tolerance(rounding.bounds(left), rounding.bounds(right))
    assert isinstance(tolerance, float)
    columns = columns_of_expression(left) | columns_of_expression(right)
    return tuple(sorted(columns)), tolerance


def _is_homogeneous(node: Expression) -> bool:
    if not isinstance(node, Call):
        return isinstance(node, Column)
    if node.function == "multiply":
        first, second = node.arguments
        return isinstance(first, Number) and _is_homogeneous(second)
    series = node.arguments[: len(FUNCTIONS[node.function].inputs)]
    return node.function in _HOMOGENEOUS and all(map(_is_homogeneous, series))


def _tolerance(first: Accuracy, second: Accuracy) -> Bound:
    return first.error + second.error + 2 * _UNIT * (first.magnitude + second.magnitude)


@compiled(COLUMN, COLUMN, COLUMN)
def _least_room(low: PriceColumn, high: PriceColumn, close: PriceColumn) -> tuple[float, float]:
    """Return the least distance above 0 of low and high, and the closes' greatest from low in such units.

    Infinity and 0 where there is none.
    """
    least, widest = np.inf, 0.0
    for t in range(len(low)):
        room = abs(high[t] - low[t])
        if room > 0.0:
            least = min(least, room)
            # A division for each would take longer than all the rest.
            if abs(close[t] - low[t]) > widest * room:
                widest = abs(close[t] - low[t]) / room
    return least, widest * (1.0 + 4.0 * _UNIT)


def _read(magnitude: float) -> Accuracy:
    """Return the bounds of decimals that were read as float64."""
    return Accuracy(magnitude, 0.0).off_by(_UNIT * magnitude)


def _sum(left: Accuracy, right: Accuracy) -> Accuracy:
    magnitude = left.magnitude + right.magnitude
    return Accuracy(magnitude, left.error + right.error).off_by(2 * _UNIT * magnitude)


def _product(left: Accuracy, right: Accuracy) -> Accuracy:
    magnitude = _times(left.magnitude, right.magnitude)
    error = (
        _times(left.error, right.magnitude)
        + _times(left.magnitude, right.error)
        + _times(left.error, right.error)
    )
    return Accuracy(magnitude, error).off_by(2 * _UNIT * magnitude)


def _times(first: Bound, second: Bound) -> Bound:
    """Return the product of two bounds: what is exact stays exact, however large the other one is."""
    if not (isinstance(first, np.ndarray) or isinstance(second, np.ndarray)):
        return first * second if first and second else 0.0
    product: PriceColumn = np.where((first == 0) | (second == 0), 0.0, first * second)
    return product if product.ndim else float(product)


def _quotient(above: Accuracy, below: Accuracy, dividend: Bound, divisor: Bound) -> Accuracy:
    """Return the bounds of a quotient; infinite where the divisor may as well be 0.

    Where it is 0, there is no quotient, and the bounds are NaN.
    """
    least: Bound = np.where(divisor == 0, np.nan, np.maximum(np.abs(divisor) - below.error, 0.0))
    magnitude = (np.abs(dividend) + above.error) / least
    error = (above.error + magnitude * below.error) / least
    return Accuracy(magnitude, error).off_by(2 * _UNIT * magnitude)


def _either(left: Accuracy, right: Accuracy) -> Accuracy:
    """Return the bounds of the smaller or the greater one of two values."""
    return Accuracy(_larger(left.magnitude, right.magnitude), _larger(left.error, right.error))


def _larger(left: Bound, right: Bound) -> Bound:
    larger: PriceColumn = np.maximum(left, right)
    return larger if larger.ndim else float(larger)


_BY_CANDLE: dict[str, Callable[..., Accuracy]] = {
    "add": _sum,
    "subtract": _sum,
    "multiply": _product,
    "abs": lambda inner: inner,
    "min": _either,
    "max": _either,
}
# By how many units of the magnitude a function over `period` candles can be off.
_WINDOW_UNITS: dict[str, Callable[[float], float]] = {
    "shift": lambda _: 0,
    "highest": lambda _: 0,
    "lowest": lambda _: 0,
    # Sums of `period` distances to a pivot, which are up to twice as large as the values; and sums of sums.
    "sma": lambda period: 8 * period + 8,
    "wma": lambda period: 8 * period + 8,
    # The variance is off by less than 8 * period units of the squared range, and the deviation of values with
    # a range is at least the range / sqrt(2 * period).
    "stddev": lambda period: 32 * period**1.5,
}
