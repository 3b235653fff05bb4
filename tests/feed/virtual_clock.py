"""A clock whose time passes only when somebody waits for it."""

import asyncio


class VirtualClock:
    """Waiting takes no time: it moves the clock on."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """Return the time in Unix seconds."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Move the clock on, together with others that wait at the same time."""
        end_s = self._now_s + seconds
        await asyncio.sleep(0)
        self._now_s = max(self._now_s, end_s)

    def set(self, now_s: float) -> None:
        """Move the clock to a time."""
        self._now_s = now_s
