"""The clock of the feed, which callers pass in: tests have one whose time passes at once."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The time and waiting, which tests replace."""

    def now_s(self) -> float:
        """Return the time in Unix seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class SystemClock:
    """The clock of this machine."""

    def now_s(self) -> float:
        """Return the time in Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
