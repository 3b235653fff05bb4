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
    first_s, last_s = int(open_time_s[0]), int(open_time_s[-1])
    longest_s = max(first_s - (grid_start - interval.seconds), grid_end - last_s)
    # Candles that are as many as their time holds have no gap between them: most often, and seen at once.
    if (len(open_time_s) - 1) * interval.seconds < last_s - first_s:
        longest_s = max(longest_s, int(_longest_step(open_time_s)))
    return Coverage(
        expected_candles=expected,
        missing_candles=expected - len(open_time_s),
        longest_gap_candles=longest_s // interval.seconds - 1,
        first_candle_s=first_s,
        last_candle_s=last_s,
    )


_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@njit((_TIMES,), cache=True, nogil=True)
def _longest_step(times):  # type: ignore[no-untyped-def]  # compiled
    longest = 0
    for i in range(1, len(times)):
        longest = max(longest, times[i] - times[i - 1])
    return longest
