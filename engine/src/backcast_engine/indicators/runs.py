"""Applies a compiled kernel to columns, run by run.

A run is a maximal stretch of defined values, finite in all columns of the kernel. Each is a separate series:
a window never spans an undefined value, and recursive indicators are seeded again after one. So the EMA of an
RSI begins where the RSI begins, and a division by zero in a rule costs a warm-up, not the rest.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn

F = TypeVar("F", bound=Callable[..., Any])

Runs = NDArray[np.int64]
"""Start and end (exclusive) of each run that has enough values: shape (k, 2)."""

# Columns may be read-only, as memory-mapped ones are.
COLUMN = types.Array(types.float64, 1, "C", readonly=True)
RESULT = types.Array(types.float64, 1, "C")
_RUNS = types.Array(types.int64, 2, "C")
_FLAGS = types.Array(types.boolean, 1, "C")


def compiled(*signature: Any) -> Callable[[F], F]:
    """Compile a function at import, once for all processes: its machine code is cached on disk.

    A compiled function calls none of another file: the cache would not notice that the other has changed.
    """
    return cast(Callable[[F], F], njit(signature, cache=True, nogil=True, error_model="numpy"))


def kernel(columns: int, *parameters: Any) -> Callable[[F], F]:
    """Compile kernel(*columns, runs, *parameters, result), which fills in the result in each run.

    Every run is at least as long as the shortest one, which `run_by_run` was given. The kernel has a value at
    each index of a run from shortest - 1 on, and writes no other.
    """
    return compiled(*[COLUMN] * columns, _RUNS, *parameters, RESULT)


def run_by_run(
    fill: Callable[..., None], columns: tuple[PriceColumn, ...], shortest: int, *parameters: float
) -> PriceColumn:
    """Return what the kernel `fill` makes of the runs of at least `shortest` values; all else is NaN.

    Columns and result have the shape (n,). A value that would be infinite is NaN.
    Raises ValueError if `shortest`, and with it the period, is below 1, or if the columns differ in length.
    """
    columns = tuple(np.ascontiguousarray(column, np.float64) for column in columns)
    length = len(columns[0])
    if shortest < 1:
        raise ValueError(f"the period is too short: it would need {shortest} values")
    if any(len(column) != length for column in columns):
        raise ValueError(f"the columns have different lengths: {[len(column) for column in columns]}")
    result = np.empty(length)
    largest = max([magnitude_bits(column) for column in columns])
    if largest < _INFINITY and length >= shortest:
        runs = np.array([[0, length]])
        result[: shortest - 1] = np.nan
    else:
        runs = _runs(_defined(columns), shortest)
        result.fill(np.nan)
    fill(*columns, runs, *parameters, result)
    if largest >= _HUGE:
        result[np.isinf(result)] = np.nan
    return result


def defined_runs(columns: tuple[PriceColumn, ...], shortest: int) -> Runs:
    """Return the runs of at least `shortest` values, 1 or more, that are finite in all columns."""
    if max([magnitude_bits(column) for column in columns]) < _INFINITY:
        length = len(columns[0])
        return np.array([[0, length]] if length >= shortest else np.empty((0, 2)), np.int64)
    return _runs(_defined(columns), shortest)


def defined_together(*columns: PriceColumn) -> tuple[PriceColumn, ...]:
    """Return the columns, each undefined where any of them is: for indicators made of others."""
    columns = tuple(np.ascontiguousarray(column, np.float64) for column in columns)
    if max([magnitude_bits(column) for column in columns]) < _INFINITY:
        return columns
    defined = _defined(columns)
    return tuple(np.where(defined, column, np.nan) for column in columns)


def _defined(columns: tuple[PriceColumn, ...]) -> NDArray[np.bool_]:
    defined: NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(column) for column in columns])
    return defined


# Without their sign, the bits of floats are integers in the floats' order; NaN comes behind infinity.
_MAGNITUDE = 0x7FFF_FFFF_FFFF_FFFF
_INFINITY = 0x7FF0_0000_0000_0000
# 2 to the 400th: below, no kernel's sum, square or product overflows. Quotients are the kernel's business.
_HUGE = (1023 + 400) << 52


@compiled(COLUMN)
def magnitude_bits(column: PriceColumn) -> int:
    """Return the largest magnitude, as bits: one look that shows whether all are defined and none is huge."""
    largest = 0
    for bits in column.view(np.int64):
        largest = max(largest, bits & _MAGNITUDE)
    return largest


@compiled(_FLAGS, types.int64)
def _runs(defined: NDArray[np.bool_], shortest: int) -> Runs:
    """Return the runs of at least `shortest` defined values."""
    runs = np.empty((len(defined) // (shortest + 1) + 1, 2), np.int64)
    count = start = 0
    for t in range(len(defined) + 1):
        if t == len(defined) or not defined[t]:
            if t - start >= shortest:
                runs[count] = start, t
                count += 1
            start = t + 1
    return runs[:count]
