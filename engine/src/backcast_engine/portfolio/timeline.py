"""The candles of a portfolio: the times at which at least one crypto has a candle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.portfolio.columns import WHOLE, readable


@dataclass(frozen=True, slots=True)
class Timeline:
    """The opening times of the portfolio's n candles: int64 of shape (n,), ascending.

    `steps` are, for each crypto, the numbers of the portfolio's candles of which it has one: int64, as many
    as it has candles.
    """

    time_s: TimeColumn
    steps: list[NDArray[np.int64]]

    @classmethod
    def of(cls, columns: Sequence[TimeColumn]) -> "Timeline":
        """Return the candles of cryptos that open at these times."""
        columns = [readable(column) for column in columns]
        # Mostly, the longest one has all of them.
        time_s = max(columns, key=len)
        steps = _steps_of(columns, time_s)
        if any(len(step) < len(column) for step, column in zip(steps, columns, strict=True)):
            time_s = np.unique(np.concatenate(columns))
            steps = _steps_of(columns, time_s)
        return cls(time_s, steps)

    def spread(self, values: PriceColumn, crypto: int, before: float) -> PriceColumn:
        """Spread values at a crypto's candles over those of the portfolio: float64 of shape (n,).

        In between, a value stays as it is; ahead of the first one it is `before`.
        """
        step, count = self.steps[crypto], len(self.time_s)
        if len(step) == count:
            return values
        return np.concatenate((np.full(step[0], before), np.repeat(values, np.diff(step, append=count))))


def _steps_of(columns: Sequence[TimeColumn], time_s: TimeColumn) -> list[NDArray[np.int64]]:
    """Return the places of each column's times in `time_s`; of one that is not there, fewer than it has."""
    every = np.arange(len(time_s))
    steps = []
    for column in columns:
        start = _start_in(time_s, column)
        steps.append(every[start : start + len(column)] if start >= 0 else _places_in(time_s, column))
    return steps


@njit((WHOLE, WHOLE), cache=True, nogil=True)
def _start_in(time_s, own):  # type: ignore[no-untyped-def]  # compiled
    """Return where `own` is in `time_s` without a gap, or -1."""
    start = np.searchsorted(time_s, own[0])
    if start + len(own) > len(time_s):
        return -1
    there, same = time_s[start : start + len(own)], True
    for i in range(len(own)):
        same &= own[i] == there[i]
    return start if same else -1


@njit((WHOLE, WHOLE), cache=True, nogil=True)
def _places_in(time_s, own):  # type: ignore[no-untyped-def]  # compiled
    """Return where the times `own` are in `time_s`, as far as they are all there."""
    places, t = np.empty(len(own), np.int64), 0
    for i in range(len(own)):
        while t < len(time_s) and time_s[t] < own[i]:
            t += 1
        if t == len(time_s) or time_s[t] != own[i]:
            return places[:i]
        places[i] = t
    return places
