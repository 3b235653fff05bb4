"""Measures the lag of the event loop: whether something blocks it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.telemetry.metrics import EVENT_LOOP_LAG

_EVERY_S = 0.02


@asynccontextmanager
async def event_loop_lag() -> AsyncIterator[None]:
    """Record the lag of the event loop while the context lasts."""
    measuring = asyncio.create_task(_measure())
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


async def _measure() -> None:
    now = asyncio.get_running_loop().time
    while True:
        due = now() + _EVERY_S
        await asyncio.sleep(_EVERY_S)
        EVENT_LOOP_LAG.observe(max(0.0, now() - due))
