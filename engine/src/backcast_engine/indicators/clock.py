"""The time at which candles open, in UTC: hour, day of the week, and day of the month."""

import numpy as np

from backcast_engine.candles import PriceColumn, TimeColumn

_HOUR_S, _DAY_S = 3_600, 86_400
# The first of January 1970 was a Thursday.
_THURSDAY = 4


def hour(open_time_s: TimeColumn) -> PriceColumn:
    """Return the hour, 0 to 23."""
    return (open_time_s % _DAY_S // _HOUR_S).astype(np.float64)


def weekday(open_time_s: TimeColumn) -> PriceColumn:
    """Return the day of the week, 1 (Monday) to 7 (Sunday), as ISO 8601 numbers them."""
    return ((open_time_s // _DAY_S + _THURSDAY - 1) % 7 + 1).astype(np.float64)


def day_of_month(open_time_s: TimeColumn) -> PriceColumn:
    """Return the day of the month, 1 to 31."""
    days = (open_time_s // _DAY_S).astype("datetime64[D]")
    day: PriceColumn = (days - days.astype("datetime64[M]")).astype(np.float64) + 1.0
    return day
