"""How far the float64 values of an expression can be from the exact ones.

There is a bound for each operation, from the standard model of rounding: N. J. Higham, Accuracy and Stability
of Numerical Algorithms, 2002, chapters 2 to 4. A bound only has to be safe: where values are closer than it
says, they are compared exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.compute.engine.indicators.runs import COLUMN, compiled
from services.compute.engine.rules.check import constants_of
from services.compute.engine.rules.exact import PLACE, in_basic_functions
from services.compute.engine.rules.functions import FUNCTIONS
from services.compute.engine.rules.nodes import Call, Expression, Number, call
from services.shared.candles import Candles, PriceColumn

# Half the distance from 1 to the next float64, and the distance of those next to 0.
_UNIT = 2.0**-53
_SMALLEST = 2.0**-1074

Bound = float | PriceColumn
"""The same at every candle, or a column of shape (n,)."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Bounds of a series: of its magnitude, and of how far its float64 values are from the exact ones."""

    magnitude: Bound
    error: Bound

    def off_by(self, error: Bound) -> "Accuracy":
        """Return the same with a further error."""
        return Accuracy(self.magnitude, self.error + error + _SMALLEST)


def positions_within(left: PriceColumn, right: PriceColumn, tolerance: Bound) -> NDArray[np.intp]:
    """Return the indices at which two columns of shape (n,) differ by no more than the tolerance."""
    if not isinstance(tolerance, np.ndarray):
        return _positions_within(left, right, tolerance)
    with np.errstate(all="ignore"):
        return np.flatnonzero(np.abs(left - right) <= tolerance)


@compiled(COLUMN, COLUMN, types.float64)
def _positions_within(left: PriceColumn, right: PriceColumn, tolerance: float) -> NDArray[np.intp]:
    # Mostly there are none: to count them first takes a look at many values at once.
    count = 0
    for t in range(len(left)):
        count += abs(left[t] - right[t]) <= tolerance
    positions = np.empty(count, np.intp)
    count = 0
    if len(positions):
        for t in range(len(left)):
            if abs(left[t] - right[t]) <= tolerance:
                positions[count] = t
                count += 1
    return positions


def _widest(bound: Bound) -> float:
    # What is NaN belongs to a candle at which there is no value.
    return float(np.fmax.reduce(bound, initial=0.0)) if isinstance(bound, np.ndarray) else bound


class Rounding:
    """Bounds for expressions over `candles` that have exact values (see `exact`).

    `series` gives the float64 values of an expression; what something is divided by is looked at. `kept` are
    bounds that were found before on the same candles; others are added.
    """

    def __init__(
        self,
        candles: Candles,
        series: Callable[[Expression], PriceColumn],
        kept: dict[Expression, Accuracy],
    ) -> None:
        self._candles, self._series, self._kept = candles, series, kept

    def tolerance(self, left: Expression, right: Expression) -> Bound:
        """Return the distance from which on the float64 values of two series are in the right order."""
        with np.errstate(all="ignore"):
            first, second = self._of(left), self._of(right)
            return first.error + second.error + 2 * _UNIT * (first.magnitude + second.magnitude)

    def _of(self, node: Expression) -> Accuracy:
        if isinstance(node, Call):
            return self._of_call(in_basic_functions(node))
        if isinstance(node, Number):
            return _read(abs(node.value))
        if node not in self._kept:
            values = getattr(self._candles, node.name)
            self._kept[node] = _read(max(float(values.max()), -float(values.min())) if len(values) else 0.0)
        return self._kept[node]

    def _of_call(self, node: Call) -> Accuracy:
        name, arguments = node.function, node.arguments
        if name == PLACE:
            if node not in self._kept:
                self._kept[node] = self._place(arguments)
            return self._kept[node]
        if name in _BINARY:
            return _BINARY[name](*map(self._of, arguments))
        if name == "divide":
            left, right = arguments
            return _quotient(self._of(left), self._of(right), self._series(left), self._series(right))
        if name == "true_range":
            widest = self._widest_of(arguments)
            return _sum(widest, widest)
        # These look at several candles.
        inner = self._of(arguments[0])
        inner = Accuracy(_widest(inner.magnitude), _widest(inner.error))
        (period,) = constants_of(FUNCTIONS[name], node)
        return inner.off_by(_WINDOW_UNITS[name](period) * _UNIT * inner.magnitude)

    def _widest_of(self, series: tuple[Expression, ...]) -> Accuracy:
        inputs = [self._of(child) for child in series]
        magnitudes, errors = (
            [_widest(getattr(each, name)) for each in inputs] for name in ("magnitude", "error")
        )
        return Accuracy(max(magnitudes), max(errors))

    def _place(self, arguments: tuple[Expression, ...]) -> Accuracy:
        high, low, close, period = arguments
        widest = self._widest_of(arguments[:3])
        difference = _sum(widest, widest)
        highest, lowest = (
            self._series(call(name, series, period)) for name, series in (("highest", high), ("lowest", low))
        )
        room = highest - lowest
        # Without room it is 50, exactly.
        room[room == 0] = np.nan
        least = float(np.fmin.reduce(np.abs(room), initial=np.inf))
        if least == np.inf:
            return Accuracy(50.0, 0.0)
        place = _widest(np.abs((self._series(close) - lowest) / room))
        quotient = _quotient(difference, difference, place * least, least)
        return _product(quotient, Accuracy(100.0, 0.0))


def _read(magnitude: float) -> Accuracy:
    """Return the bounds of decimals that were read as float64."""
    return Accuracy(magnitude, 0.0).off_by(_UNIT * magnitude)


def _sum(left: Accuracy, right: Accuracy) -> Accuracy:
    magnitude = left.magnitude + right.magnitude
    return Accuracy(magnitude, left.error + right.error).off_by(2 * _UNIT * magnitude)


def _product(left: Accuracy, right: Accuracy) -> Accuracy:
    magnitude = left.magnitude * right.magnitude
    error = left.error * right.magnitude + left.magnitude * right.error + left.error * right.error
    return Accuracy(magnitude, error).off_by(2 * _UNIT * magnitude)


def _quotient(above: Accuracy, below: Accuracy, dividend: Bound, divisor: Bound) -> Accuracy:
    """Return the bounds of a quotient; infinite where the divisor may as well be 0.

    Where it is 0, there is no quotient, and the bounds are NaN.
    """
    least: Bound = np.where(divisor == 0, np.nan, np.maximum(np.abs(divisor) - below.error, 0.0))
    magnitude = (np.abs(dividend) + above.error) / least
    error = (above.error + magnitude * below.error) / least
    return Accuracy(magnitude, error).off_by(2 * _UNIT * magnitude)


_BINARY = {"add": _sum, "subtract": _sum, "multiply": _product}
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
