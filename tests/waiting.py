"""Waits for what other processes do, where there is no event to await."""

import asyncio
from collections.abc import Awaitable, Callable

# How long a test waits for what has to come. No test measures time: this is far more than a busy machine
# needs, and ends a test for which nothing comes.
LIMIT_S = 60.0


async def until(holds: Callable[[], bool | Awaitable[bool]], limit_s: float = LIMIT_S) -> None:
    """Wait until something holds; raises TimeoutError where it does not."""
    async with asyncio.timeout(limit_s):
        while not (await held if isinstance(held := holds(), Awaitable) else held):
            await asyncio.sleep(0.02)
