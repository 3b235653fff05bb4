"""Readable times, and the range of valid times.

Apart from intervals and candles, which need NumPy: the command's quick paths show times without.
"""

from datetime import UTC, datetime

# Unix seconds of the years 1 and 9999: the range of Timestamp messages and Python's datetime.
EARLIEST_S, LATEST_S = -62_135_596_800, 253_402_300_799
# The year 2: in languages whose times begin in the year 1, that is where unset times are.
EARLIEST_ASKED_S = -62_104_060_800


def utc(time_s: int) -> str:
    """Return Unix seconds of the years 1 to 9999 as 2025-01-31 12:00 UTC."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC"
