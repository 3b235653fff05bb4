"""Times as people read them."""

from datetime import UTC, datetime


def utc(time_s: int) -> str:
    """Return Unix seconds of the years 1 to 9999 as 2025-01-31 12:00 UTC."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC"
