"""A clock of a test's own: the time that passes while nothing happens, without waiting for it."""

import asyncio
import time

import pytest

from services.gateway.cache import flights, single_flight


class ShiftedClock:
    """Is ahead of the real clock by as much as the test says; timers of the event loop follow it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead_s = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", self.monotonic)
        for module in (flights, single_flight):
            monkeypatch.setattr(module, "time", self)
        # An owner is made with the time at which it is made.
        monkeypatch.setattr(single_flight, "Owner", lambda: flights.Owner(read_at=self.monotonic()))

    def monotonic(self) -> float:
        """Return the time, in seconds, as time.monotonic() does."""
        return time.monotonic() + self._ahead_s

    async def let_pass(self, seconds: float) -> None:
        """Have time pass, and everybody do what is due by then."""
        self._ahead_s += seconds
        for _ in range(10):
            await asyncio.sleep(0)
