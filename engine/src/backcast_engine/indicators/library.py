"""TA-Lib's functions over columns, run by run: what rules have beside our own indicators.

Values are TA-Lib's, with three exceptions, as all indicators here have them: undefined values cut a column
into runs, each a separate series (see runs.py); what TA-Lib fills in before the first value is undefined; and
so is what would be infinite. An index of a value (MAXINDEX) becomes the number of candles since then.

TA-Lib is imported by the first function that is computed, as it is slow to import.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.indicators.runs import defined_runs

# Time constants of the warm-up of a recursive average, as for our own ones.
_TIME_CONSTANTS = 20
# A Heikin-Ashi open halves what it remembers at each candle, and has no look-back to say so.
_SHORTEST_WARMUP = 64
# Adaptive averages (KAMA, MAMA) are as slow as this where the market has no direction: 20 time constants of
# the average over 30 candles, squared, whatever their period.
_ADAPTIVE_WARMUP = 4_800
_ADAPTIVE_KINDS = frozenset((6, 7))
# A stop-and-reverse begins anew at each of its turns. So many candles have some.
_TURNS = 1_000


class Memory(Enum):
    """What the values of a function depend on, of the candles before its look-back."""

    WINDOW = "window"
    """On nothing."""
    FADES = "fades"
    """On all of them, the less the longer they are past."""
    TURNS = "turns"
    """On those since a turn of the market."""
    SUMS = "sums"
    """On all of them for ever: it counts from the first candle."""


@dataclass(frozen=True, slots=True)
class LibraryFunction:
    """A function of TA-Lib by its `name` there, with numbers of inputs and outputs.

    `kinds` are the indices of the parameters that choose a kind of moving average.
    """

    name: str
    inputs: int
    outputs: int
    memory: Memory
    kinds: tuple[int, ...] = ()

    def __call__(self, *arguments: Any) -> NDArray[np.float64]:
        """Return what TA-Lib computes of columns of shape (n,), given first, and parameters.

        float64 of shape (n,), or of shape (outputs, n) where there are several; NaN where undefined.
        """
        import talib

        columns = tuple(np.ascontiguousarray(column, np.float64) for column in arguments[: self.inputs])
        parameters = self._ordered(arguments[self.inputs :])
        before = _lookback(self.name, parameters)
        results = np.full((self.outputs, len(columns[0])), np.nan)
        compute = getattr(talib, self.name)
        for start, end in defined_runs(columns, before + 1).tolist():
            found = compute(*(column[start:end] for column in columns), *parameters)
            for result, values in zip(results, found if self.outputs > 1 else (found,), strict=True):
                result[start + before : end] = values[before:]
            if self.name.endswith("INDEX"):
                results[:, start:end] = np.arange(end - start) - results[:, start:end]
        results[~np.isfinite(results)] = np.nan
        return results if self.outputs > 1 else results[0]

    def lookback(self, *parameters: float) -> int:
        """Return how many candles come before the first value."""
        return _lookback(self.name, self._ordered(parameters))

    def warmup(self, *parameters: float) -> int:
        """Return after how many candles those before have no say any more; a sum has them for ever."""
        before = self.lookback(*parameters)
        if self.memory is Memory.TURNS:
            return _TURNS
        if self.memory is not Memory.FADES:
            return before
        adapts = self.name in ("KAMA", "MAMA") or any(
            parameters[index] in _ADAPTIVE_KINDS for index in self.kinds
        )
        # A function of several averages looks back as far as all of them together.
        return max(_TIME_CONSTANTS * (before + 1), _SHORTEST_WARMUP) + adapts * _ADAPTIVE_WARMUP

    def _ordered(self, parameters: tuple[float, ...]) -> tuple[float, ...]:
        # TA-Lib refuses a shortest period above the longest one.
        return (*sorted(parameters[:2]), parameters[2]) if self.name == "MAVP" else parameters


@lru_cache(maxsize=4096)
def _lookback(name: str, parameters: tuple[float, ...]) -> int:
    from talib.abstract import Function  # type: ignore[attr-defined]  # its stubs name the functions only

    function = Function(name)
    function.parameters = dict(zip(function.parameters, parameters, strict=True))
    return int(function.lookback)
