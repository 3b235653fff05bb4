"""Breaks in a backtest: candles that straddle a break, and the parts of a window between breaks.

docs/backtests.md defines what a break means for a backtest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.interval import Interval


@dataclass(frozen=True, slots=True)
class HistoryPart:
    """Candles of a window without a break between them: positions from `start` to before `end` in a history.

    `reach` is the position of the earliest candle of the history that no break separates from them.
    """

    reach: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def without_straddling(candles: Candles, breaks: Sequence[Break], interval: Interval) -> Candles:
    """Return the candles of length `interval` without those that contain prices of both sides of a break.

    Columns may be empty. Hourly candles are never among those left out.
    """
    time_s = candles.open_time_s
    straddling: set[int] = set()
    for each in breaks:
        # Candles that open at or before the last hour before it, and end after the first hour after it opens.
        first = np.searchsorted(time_s, each.after_s - interval.seconds, side="right")
        end = np.searchsorted(time_s, each.before_s, side="right")
        straddling.update(range(int(first), int(end)))
    if not straddling:
        return candles
    dropped = sorted(straddling)
    open_time_s, *values = candles.columns()
    return Candles(
        np.delete(open_time_s, dropped),
        *(np.delete(column, dropped) if len(column) else column for column in values),
    )


def parts_of(
    open_time_s: TimeColumn, breaks: Sequence[Break], interval: Interval, start: int, end: int
) -> tuple[tuple[HistoryPart, ...], tuple[Break, ...]]:
    """Return the parts of the window at positions `start` to before `end`, and the breaks between them.

    The window has at least one candle, and none that straddles a break. A window without a break is one part.
    """
    if not breaks:
        return (HistoryPart(0, start, end),), ()
    # The position of the first candle after each break.
    behind = np.searchsorted(open_time_s, [each.after_s - interval.seconds for each in breaks], side="right")
    positions = behind.tolist()
    cutting = tuple(each for each, cut in zip(breaks, positions, strict=True) if start < cut < end)
    edges = sorted({start, end, *(cut for cut in positions if start < cut < end)})
    reach = max((cut for cut in positions if cut <= start), default=0)
    first, *later = (HistoryPart(begin, begin, stop) for begin, stop in pairwise(edges))
    return (HistoryPart(reach, first.start, first.end), *later), cutting
