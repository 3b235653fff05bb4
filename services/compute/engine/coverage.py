"""Which candles of a window there are."""

import numpy as np

from services.compute.engine.results import Coverage, Window
from services.shared.candles import TimeColumn
from services.shared.interval import Interval


def coverage(open_time_s: TimeColumn, window: Window, interval: Interval) -> Coverage:
    """Compare the candles in the window (shape (n,), n >= 1) with those that it would hold without gaps.

    The edges count: candles missing at the beginning (a crypto listed later) or at the end are a gap too.
    """
    grid_start = interval.next_opening(window.start_s)
    grid_end = interval.next_opening(window.end_s)
    edges = np.concatenate(([grid_start - interval.seconds], open_time_s, [grid_end]))
    expected = (grid_end - grid_start) // interval.seconds
    return Coverage(
        expected_candles=expected,
        missing_candles=expected - len(open_time_s),
        longest_gap_candles=int(np.diff(edges).max()) // interval.seconds - 1,
        first_candle_s=int(open_time_s[0]),
        last_candle_s=int(open_time_s[-1]),
    )
