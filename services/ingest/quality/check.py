"""The check of a stored history: gaps, breaks, missing volume."""

from dataclasses import dataclass

import numpy as np

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

    `longest_gap` is the first one of that length, None if nothing is missing.
    """

    candles: int
    first_s: int
    last_s: int
    gaps: int
    missing: int
    longest_gap: Gap | None
    zero_volume: int
    breaks: tuple[Break, ...]

    @property
    def zero_volume_share(self) -> float:
        """The fraction of candles without volume, from 0 to 1."""
        return self.zero_volume / self.candles


def check_history(candles: Candles, interval: Interval, breaks: tuple[Break, ...]) -> HistoryCheck:
    """Check a history of at least one candle; only its time and volume are used.

    `breaks` are the stored ones.
    """
    missing = np.diff(candles.open_time_s) // interval.seconds - 1
    longest_gap = None
    if missing.any():
        position = int(np.argmax(missing))
        longest_gap = Gap(int(candles.open_time_s[position]) + interval.seconds, int(missing[position]))
    return HistoryCheck(
        candles=len(candles),
        first_s=int(candles.open_time_s[0]),
        last_s=int(candles.open_time_s[-1]),
        gaps=int(np.count_nonzero(missing)),
        missing=int(missing.sum()),
        longest_gap=longest_gap,
        zero_volume=int(np.count_nonzero(candles.volume == 0)),
        breaks=breaks,
    )
