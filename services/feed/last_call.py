"""The last call of a process that stops: what it has is given back."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from backcast_engine.errors import BackcastError

# How long a process that stops waits for the data service: what starts it kills it after ten seconds.
_STOP_S = 3.0


async def last_call(call: Coroutine[None, None, object]) -> None:
    """Call the data service once more; without an answer, what this process has is taken over later."""
    with suppress(BackcastError, TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await call
