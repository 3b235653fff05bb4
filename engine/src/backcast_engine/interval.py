"""Intervals: the lengths of candles."""

from enum import Enum
from functools import cached_property

from backcast_engine.candles import TimeColumn

# Grids are counted from a Monday at 00:00 UTC, so that weeks start on Mondays: 1969-12-29.
_MONDAY_S = -3 * 86_400


class Interval(Enum):
    """The length of a candle; the value is its usual name."""

    HOUR_1 = "1h"
    HOUR_4 = "4h"
    DAY_1 = "1d"
    WEEK_1 = "1w"

    @cached_property
    def seconds(self) -> int:
        """The length in seconds."""
        return _SECONDS[self]

    def opening(self, time_s: int) -> int:
        """Return the opening time of the candle that contains `time_s` (both Unix seconds)."""
        return time_s - (time_s - _MONDAY_S) % self.seconds

    def openings(self, times_s: TimeColumn) -> TimeColumn:
        """Return the opening times of the candles that contain `times_s`, int64 of the same shape."""
        return times_s - (times_s - _MONDAY_S) % self.seconds

    def next_opening(self, time_s: int) -> int:
        """Return the first opening time at or after `time_s` (both Unix seconds)."""
        return self.opening(time_s + self.seconds - 1)


_SECONDS = {
    Interval.HOUR_1: 3_600,
    Interval.HOUR_4: 4 * 3_600,
    Interval.DAY_1: 86_400,
    Interval.WEEK_1: 7 * 86_400,
}
