"""Which candles of a window there are."""

from numba import njit, types

from services.compute.engine.results import Coverage, Window
from services.shared.candles import TimeColumn
from services.shared.interval import Interval


def coverage(open_time_s: TimeColumn, window: Window, interval: Interval) -> Coverage:
    """Compare the candles in the window (shape (n,), n >= 1) with those that it would hold without gaps.

    The edges count: candles missing at the beginning (a crypto listed later) or at the end are a gap too.
    """
    grid_start = interval.next_opening(window.start_s)
    grid_end = interval.next_opening(window.end_s)
    expected = (grid_end - grid_start) // interval.seconds
    longest_s = _longest_distance(open_time_s, grid_start - interval.seconds, grid_end)
    return Coverage(
        expected_candles=expected,
        missing_candles=expected - len(open_time_s),
        longest_gap_candles=longest_s // interval.seconds - 1,
        first_candle_s=int(open_time_s[0]),
        last_candle_s=int(open_time_s[-1]),
    )


_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@njit((_TIMES, types.int64, types.int64), cache=True, nogil=True)
def _longest_distance(times, before, after):  # type: ignore[no-untyped-def]  # compiled
    """Return the longest distance between neighbours among `before`, ascending times, and `after`."""
    longest = max(times[0] - before, after - times[-1])
    for i in range(1, len(times)):
        longest = max(longest, times[i] - times[i - 1])
    return longest
