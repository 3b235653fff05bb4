"""The check of a stored history: gaps, breaks, missing volume."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap: the opening time of its first missing candle (Unix seconds), and the number of candles."""

    start_s: int
    missing: int


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """The findings in one crypto's history; times are opening times in Unix seconds.

    `longest_gap` is the first one of that length, None if nothing is missing. `source` is the exchange that
    candles were fetched from, empty if all were imported. Then `never_asked` is the number of missing candles
    that it was never asked for, the first of which opens at `never_asked_from_s`; None if there is none. It
    does not have the other missing ones. All of them are never asked for if there is no source.
    """

    candles: int
    first_s: int
    last_s: int
    gaps: int
    missing: int
    longest_gap: Gap | None
    zero_volume: int
    breaks: tuple[Break, ...]
    source: str = ""
    never_asked: int = 0
    never_asked_from_s: int | None = None

    @property
    def zero_volume_share(self) -> float:
        """The fraction of candles without volume, from 0 to 1."""
        return self.zero_volume / self.candles


def check_history(
    candles: Candles,
    interval: Interval,
    breaks: tuple[Break, ...],
    source: str = "",
    asked: Iterable[tuple[int, int]] = (),
) -> HistoryCheck:
    """Check a history of at least one candle; only its time and volume are used.

    `breaks` are the stored ones. `source` was asked for the hours from the first up to the second of each of
    the times `asked` (Unix seconds).
    """
    missing = np.diff(candles.open_time_s) // interval.seconds - 1
    longest_gap = None
    if missing.any():
        position = int(np.argmax(missing))
        longest_gap = Gap(int(candles.open_time_s[position]) + interval.seconds, int(missing[position]))
    never_asked = _never_asked(candles, interval, asked) if missing.any() else missing[:0]
    return HistoryCheck(
        candles=len(candles),
        first_s=int(candles.open_time_s[0]),
        last_s=int(candles.open_time_s[-1]),
        gaps=int(np.count_nonzero(missing)),
        missing=int(missing.sum()),
        longest_gap=longest_gap,
        zero_volume=int(np.count_nonzero(candles.volume == 0)),
        breaks=breaks,
        source=source,
        never_asked=len(never_asked),
        never_asked_from_s=int(never_asked[0]) if len(never_asked) else None,
    )


def _never_asked(candles: Candles, interval: Interval, asked: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the opening times of the missing candles that were not asked for."""
    first_s, last_s = candles.open_time_s[[0, -1]].tolist()
    missing = np.setdiff1d(
        np.arange(first_s, last_s, interval.seconds), candles.open_time_s, assume_unique=True
    )
    for start_s, end_s in asked:
        missing = missing[(missing < start_s) | (missing >= end_s)]
    return missing
