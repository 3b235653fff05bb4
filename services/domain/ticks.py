"""Prices and volumes as integers: ticks of 10^-scale, lossless, in one int64 for every finite number >= 0.

Exchanges quote decimals. A decimal of up to 15 digits is exact as an integer number of ticks, and ticks
divided by 10^scale are exactly the double that its text parses to: both are exact as doubles up to 2^53 and
10^22, and IEEE 754 rounds a division once. Integers of few digits compress far better than doubles.

A double that is no such decimal (0.17600000000000002, a rounding error of a sum) is stored as its own 64
bits, inverted, so that it is negative and cannot be taken for ticks.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn

TickColumn = NDArray[np.int64]

# The largest number of ticks that a double represents exactly.
MAX_TICKS = 2**53
# Real quotes have up to 18 decimals; 10^22 is the largest power of ten that a double represents exactly.
MAX_SCALE = 18
# Several decimals with more digits than these parse to the same double: ticks can be off by one.
_CERTAIN_TICKS = 10**15
_SAMPLE = 256


def to_ticks(values: PriceColumn, scale: int) -> TickColumn:
    """Return each value as ticks, or as its inverted bits if it is not a whole number of ticks.

    `values` are float64 of shape (n,), finite and not negative; the result is int64 of shape (n,).
    """
    ticks, exact = _ticks(values, scale)
    return ticks if exact.all() else np.where(exact, ticks, ~_positive(values).view(np.int64))


def from_ticks(ticks: TickColumn, scale: int) -> PriceColumn:
    """Return the doubles, shape (n,), that `to_ticks` got, bit for bit."""
    values = ticks / 10.0**scale
    if len(ticks) and ticks.min() < 0:
        values = np.where(ticks < 0, (~ticks).view(np.float64), values)
    return values


def scale_for(values: PriceColumn, scale: int = 0, largest_ticks: int = 0) -> int:
    """Return the smallest scale, at least `scale`, at which all values that can be ticks are ticks.

    `largest_ticks` is the largest number of ticks at `scale` of other values. The scale does not exceed the
    one at which the largest value still fits: a single noisy value must not prevent ticks for the others.
    """
    largest = max(Fraction(largest_ticks, 10**scale), Fraction(_largest_plain(values)))
    # Most values of a column have about the same number of decimals, so a few of them save most attempts.
    scale = _finest(values[:_SAMPLE], scale, largest)
    return _finest(values, scale, largest)


def exact_sums(values: PriceColumn, starts: NDArray[np.intp], scale: int = 0) -> PriceColumn:
    """Return the sums of the groups of `values` that begin at `starts`, each rounded once.

    `values` are float64 of shape (n,), finite and not negative, `starts` ascending positions of shape (m,)
    that begin with 0; the result has the shape (m,). Decimals are summed as decimals: 0.1 and 0.2 make 0.3.
    `scale` is the first scale that is tried.
    """
    scale = scale_for(values, scale)
    ticks = to_ticks(values, scale)
    noisy = np.logical_or.reduceat((ticks < 0) | (ticks > _CERTAIN_TICKS), starts)
    sums = np.add.reduceat(np.where(ticks < 0, 0, ticks), starts)
    result: PriceColumn = sums / 10.0**scale
    ends = np.append(starts[1:], len(values))
    for group in np.flatnonzero(noisy | (sums > MAX_TICKS)).tolist():
        exact = (_decimal(value) for value in values[starts[group] : ends[group]].tolist())
        result[group] = float(sum(exact, Fraction()))
    return result


def _finest(values: PriceColumn, scale: int, largest: Fraction) -> int:
    """Return the finest scale above `scale` that a value needs and at which `largest` fits; or `scale`."""
    finest, left = scale, values
    for candidate in range(scale, MAX_SCALE + 1):
        if not len(left) or largest * 10**candidate > MAX_TICKS:
            break
        _, exact = _ticks(left, candidate)
        if exact.any():
            finest, left = candidate, left[~exact]
    return finest


def _ticks(values: PriceColumn, scale: int) -> tuple[TickColumn, NDArray[np.bool_]]:
    """Return numbers of ticks, and for which values they are exact; inexact ones mean nothing."""
    power = 10.0**scale
    with np.errstate(over="ignore"):
        counts = np.rint(values * power)
    small = counts <= MAX_TICKS
    return np.where(small, counts, 0).astype(np.int64), small & (counts / power == values)


def _largest_plain(values: PriceColumn) -> float:
    """Return the largest value that is a decimal; others are stored as bits at any scale."""
    plain = values[values <= MAX_TICKS]
    return float(plain.max()) if len(plain) else 0.0


def _positive(values: PriceColumn) -> PriceColumn:
    return values + 0.0  # -0.0 becomes 0.0: its sign bit would make it look like ticks


def _decimal(value: float) -> Fraction:
    """Return the shortest decimal that parses to this double: the one that was written."""
    return Fraction(repr(value))
