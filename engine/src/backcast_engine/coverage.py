"""Coverage: how many candles of a window exist."""

import numpy as np
from numba import njit, types

from backcast_engine.candles import TimeColumn
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.results import Coverage, Window

_HOUR_S = 3_600


def coverage(open_time_s: TimeColumn, history: History, window: Window, interval: Interval) -> Coverage:
    """Compare the traded candles of the window (shape (n,), n >= 1) with those of a window without gaps.

    The edges count: candles missing at the beginning (a crypto listed later) or at the end are a gap too.
    Hours are those of all candles of `history`: a candle that straddles a break is not traded, but has hours.
    """
    grid_start = interval.next_opening(window.start_s)
    grid_end = interval.next_opening(window.end_s)
    expected = (grid_end - grid_start) // interval.seconds
    first_s, last_s = int(open_time_s[0]), int(open_time_s[-1])
    longest_s = max(first_s - (grid_start - interval.seconds), grid_end - last_s)
    # A shortcut for the most frequent case: as many candles as expected means no gap.
    if (len(open_time_s) - 1) * interval.seconds < last_s - first_s:
        longest_s = max(longest_s, int(_longest_step(open_time_s)))
    missing = expected - len(open_time_s)
    # All hourly candles are traded.
    hourly = interval.seconds == _HOUR_S
    return Coverage(
        expected_candles=expected,
        missing_candles=missing,
        longest_gap_candles=longest_s // interval.seconds - 1,
        first_candle_s=first_s,
        last_candle_s=last_s,
        missing_hours=missing if hourly else _missing_hours(history, grid_start, grid_end, interval),
    )


def _missing_hours(history: History, start_s: int, end_s: int, interval: Interval) -> int:
    hours = interval.seconds // _HOUR_S
    first, end = np.searchsorted(history.candles.open_time_s, (start_s, end_s)).tolist()
    missing: int = (end_s - start_s) // _HOUR_S - (end - first) * hours
    partial = history.partial
    if len(partial.open_time_s):
        first, end = np.searchsorted(partial.open_time_s, (start_s, end_s)).tolist()
        missing += (end - first) * hours - int(partial.hours[first:end].sum())
    return missing


_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@njit((_TIMES,), cache=True, nogil=True)
def _longest_step(times):  # type: ignore[no-untyped-def]  # compiled
    longest = 0
    for i in range(1, len(times)):
        longest = max(longest, times[i] - times[i - 1])
    return longest
