"""Price columns as whole numbers of ticks, and the exact sums of their windows.

A price is the decimal that was written: 28.71 is 2,871 ticks of 0.01. Sums of ticks are exact, so a mean is
rounded once, when it is converted to float64: it is the float64 next to the mean on paper, whatever came
before its window. Two such means are equal where they are equal on paper, and different where they differ.

Running sums of whole numbers do not drift. They may exceed an int64 and wrap around: the difference of two is
right as long as the sum of the window itself fits, as int64 computes modulo 2^64.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm

import numpy as np
from numba import types
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.indicators.runs import COLUMN, compiled
from backcast_engine.rules.check import constants_of
from backcast_engine.rules.nodes import Call, Column, Expression

Integers = NDArray[np.int64]

# A decimal of up to 15 digits is the only one of so few digits that reads as its float64.
_MOST_TICKS = 10**15
# The last power of ten that a float64 holds exactly.
_MOST_DECIMALS = 22
_POWERS = np.array([10.0**decimals for decimals in range(_MOST_DECIMALS + 1)])
# Prices are converted so many at a time, and no further where they turn out to have more decimals.
_BLOCK = 512
# Whole numbers up to here are exact float64 values.
_EXACT = 2**53
# Functions whose value is one of the values that they read.
_SELECTIONS = frozenset(("shift", "highest", "lowest"))


@dataclass(frozen=True, slots=True)
class Ticks:
    """Values as `numbers` of ticks of 10^-decimals: int64 of shape (n,), between `least` and `greatest`."""

    numbers: Integers
    decimals: int
    least: int
    greatest: int

    @property
    def largest(self) -> int:
        """The largest magnitude among the numbers, 1 or more."""
        return max(1, -self.least, self.greatest)


def ticks_of(values: PriceColumn, decimals: int = 0) -> Ticks | None:
    """Return values of shape (n,) as ticks; None if they are no decimals of up to 15 digits.

    `decimals` is a guess, tried first; otherwise they are the fewest that are enough.
    """
    numbers, found, least, greatest = _ticks(values, decimals, _POWERS)
    return Ticks(numbers, found, least, greatest) if found >= 0 else None


def exact_sums(values: PriceColumn, starts: NDArray[np.intp]) -> PriceColumn:
    """Return the sums of the groups of values of shape (n,) that begin at `starts`, each rounded once.

    `starts` are ascending positions of shape (m,) that begin with 0; the result has the shape (m,). Decimals
    are summed as decimals: 0.1 and 0.2 make 0.3. A group has at most 1,000 values.
    """
    ticks = ticks_of(values)
    if ticks is None:
        written = np.array([Fraction(repr(value)) for value in values.tolist()], object)
        return np.add.reduceat(written, starts).astype(np.float64)
    sums, unit = np.add.reduceat(ticks.numbers, starts), 10**ticks.decimals
    if sums.max(initial=0) < _EXACT:
        return sums / float(unit)
    # Python rounds the quotient of two whole numbers once.
    return np.array([number / unit for number in sums.tolist()])


class WindowedTicks:
    """Means and deviations over windows of the price columns of `candles`, from exact sums."""

    def __init__(self, candles: Candles) -> None:
        self._candles = candles
        self._ticks: dict[str, Ticks | None] = {}
        # Running sums by the name of a column and the power or weight that is summed.
        self._sums: dict[tuple[str, str], Integers] = {}
        # Decimals that a column was found to have: those of other columns are mostly as many.
        self._decimals = 0

    def windowed(self, node: Call) -> PriceColumn | None:
        """Return the values of an SMA, a WMA or a standard deviation of a column, or None for all else.

        float64 of shape (n,), NaN before the first window. None also if the column has no ticks, or if sums
        of its ticks are too large.
        """
        window = _window(node)
        if window is None:
            return None
        name, column, period = window
        ticks = self._of(column)
        if ticks is None:
            return None
        if name == "stddev":
            return self._deviation(column, ticks, period)
        weights = _weights(name, period)
        scale = weights * 10**ticks.decimals
        if max(weights * ticks.largest, scale) >= _EXACT:
            return None
        sums = self._running_sums("plain", column, ticks)
        if name == "sma":
            return _means(sums, period, float(scale))
        return _weighted_means(sums, self._running_sums("by index", column, ticks), period, float(scale))

    def keeps_exact_order(self, left: Expression, right: Expression) -> bool:
        """Return whether the order of two series' float64 values is the order of their exact values.

        It is where both are exact values rounded once, and no two different ones are so close that they
        could be rounded to the same float64.
        """
        first, second = _multiple(left), _multiple(right)
        if first is None or second is None:
            return False
        ticks, other_ticks = self._of(first[0]), self._of(second[0])
        if ticks is None or other_ticks is None:
            return False
        unit, other_unit = 10**ticks.decimals, 10**other_ticks.decimals
        denominator, other_denominator = first[1] * unit, second[1] * other_unit
        # Values that differ are at least one unit of the common denominator apart. Float64 values that are
        # less than 2^52 such units distinguish them.
        common = lcm(denominator, other_denominator)
        largest = max(ticks.largest * (common // unit), other_ticks.largest * (common // other_unit))
        return bool(max(denominator, other_denominator) < _EXACT and largest < _EXACT // 2)

    def _of(self, column: str) -> Ticks | None:
        if column not in self._ticks:
            ticks = ticks_of(getattr(self._candles, column), self._decimals)
            if ticks is not None:
                self._decimals = ticks.decimals
            self._ticks[column] = ticks
        return self._ticks[column]

    def _running_sums(self, of: str, column: str, ticks: Ticks) -> Integers:
        key = (column, of)
        if key not in self._sums:
            self._sums[key] = _RUNNING[of](ticks.numbers)
        return self._sums[key]

    def _deviation(self, column: str, ticks: Ticks, period: int) -> PriceColumn | None:
        # The squared deviations of a window add up to a quarter of period * range^2 at most.
        if period * (ticks.greatest - ticks.least) >= 2**32 or period * 10**ticks.decimals >= _EXACT:
            return None
        sums = self._running_sums("plain", column, ticks)
        squares = self._running_sums("squares", column, ticks)
        return _deviations(sums, squares, period, float(period * 10**ticks.decimals))


def _weights(name: str, period: int) -> int:
    """Return the sum of the weights in a window."""
    return period * (period + 1) // 2 if name == "wma" else period


@lru_cache(maxsize=4096)
def _window(node: Call) -> tuple[str, str, int] | None:
    """Return function, column and period of a call whose windows are summed; None for all others."""
    if node.function not in ("sma", "wma", "stddev") or not isinstance(node.arguments[0], Column):
        return None
    (period,) = constants_of(node)
    return node.function, node.arguments[0].name, int(period)


@lru_cache(maxsize=4096)
def _multiple(node: Expression) -> tuple[str, int] | None:
    """Return the column whose values, or whose means, a series consists of, and the sum of the weights.

    None for all other series.
    """
    if isinstance(node, Column):
        return node.name, 1
    if not isinstance(node, Call):
        return None
    if (window := _window(node)) is not None and node.function != "stddev":
        name, column, period = window
        return column, _weights(name, period)
    if node.function in _SELECTIONS and isinstance(node.arguments[0], Column):
        return node.arguments[0].name, 1
    return None


@compiled(COLUMN, types.int64, COLUMN)
def _ticks(values: PriceColumn, guess: int, powers: PriceColumn) -> tuple[Integers, int, int, int]:
    """Return values times 10^decimals, decimals, the least and the greatest; decimals are -1 if none do."""
    ticks = np.empty(len(values), np.int64)
    for trial in range(-1, len(powers)):
        decimals = guess if trial < 0 else trial
        power, wrong = powers[decimals], 0
        for start in range(0, len(values), _BLOCK):
            block, numbers = values[start : start + _BLOCK], ticks[start : start + _BLOCK]
            for i in range(len(block)):
                number = np.rint(block[i] * power)
                wrong += (number / power != block[i]) | (abs(number) > _MOST_TICKS)
                numbers[i] = np.int64(number)
            if wrong:
                break
        if not wrong:
            least = greatest = ticks[0] if len(ticks) else 0
            for number in ticks:
                least, greatest = min(least, number), max(greatest, number)
            return ticks, decimals, least, greatest
    return ticks, -1, 0, 0


@compiled(types.int64[::1])
def _running(ticks: Integers) -> Integers:
    sums, total = np.zeros(len(ticks) + 1, np.int64), 0
    for t in range(len(ticks)):
        total += ticks[t]
        sums[t + 1] = total
    return sums


@compiled(types.int64[::1])
def _running_squares(ticks: Integers) -> Integers:
    sums, total = np.zeros(len(ticks) + 1, np.int64), 0
    for t in range(len(ticks)):
        total += ticks[t] * ticks[t]
        sums[t + 1] = total
    return sums


@compiled(types.int64[::1])
def _running_by_index(ticks: Integers) -> Integers:
    sums, total = np.zeros(len(ticks) + 1, np.int64), 0
    for t in range(len(ticks)):
        total += t * ticks[t]
        sums[t + 1] = total
    return sums


_RUNNING = {"plain": _running, "squares": _running_squares, "by index": _running_by_index}


@compiled(types.int64[::1], types.int64, types.float64)
def _means(sums: Integers, period: int, scale: float) -> PriceColumn:
    means = np.full(len(sums) - 1, np.nan)
    windows = means[period - 1 :]
    before, after = sums[: len(windows)], sums[len(sums) - len(windows) :]
    for i in range(len(windows)):
        windows[i] = float(after[i] - before[i]) / scale
    return means


@compiled(types.int64[::1], types.int64[::1], types.int64, types.float64)
def _weighted_means(sums: Integers, by_index: Integers, period: int, scale: float) -> PriceColumn:
    means = np.full(len(sums) - 1, np.nan)
    windows = means[period - 1 :]
    before, after = sums[: len(windows)], sums[len(sums) - len(windows) :]
    by_index_before, by_index_after = by_index[: len(windows)], by_index[len(sums) - len(windows) :]
    for i in range(len(windows)):
        # A value at index t weighs t; in the window that begins at index i, it weighs t - i + 1.
        weighted = by_index_after[i] - by_index_before[i] - (i - 1) * (after[i] - before[i])
        windows[i] = float(weighted) / scale
    return means


@compiled(types.int64[::1], types.int64[::1], types.int64, types.float64)
def _deviations(sums: Integers, squares: Integers, period: int, scale: float) -> PriceColumn:
    deviations = np.full(len(sums) - 1, np.nan)
    windows = deviations[period - 1 :]
    before, after = sums[: len(windows)], sums[len(sums) - len(windows) :]
    squares_before, squares_after = squares[: len(windows)], squares[len(sums) - len(windows) :]
    for i in range(len(windows)):
        total = after[i] - before[i]
        windows[i] = np.sqrt(float(period * (squares_after[i] - squares_before[i]) - total * total)) / scale
    return deviations
