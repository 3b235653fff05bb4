"""A clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Clock:
    """Stands in for asyncio.timeout; its time is 0 at first."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._timeouts: dict[asyncio.Timeout, float] = {}

    @asynccontextmanager
    async def timeout(self, delay_s: float) -> AsyncIterator[None]:
        """Raise TimeoutError where what is done here takes longer than `delay_s`, by this clock."""
        async with asyncio.timeout(None) as timeout:
            self._timeouts[timeout] = self._now_s + delay_s
            try:
                yield
            finally:
                del self._timeouts[timeout]

    async def advance(self, seconds: float) -> None:
        """Let time pass, after all that is ready to run has run."""
        await settled()
        self._now_s += seconds
        for timeout, end_s in self._timeouts.items():
            if end_s <= self._now_s:
                timeout.reschedule(asyncio.get_running_loop().time())
        await settled()


async def settled() -> None:
    """Let tasks that are ready run, and those that they make ready."""
    for _ in range(20):
        await asyncio.sleep(0)
