"""Runs several coroutines at once, with results in order and bounded memory.

Shared by dump, restore and migrate.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def overlapping(works: AsyncIterator[Coroutine[Any, Any, T]], at_once: int) -> AsyncGenerator[T]:
    """Yield the results of `works` in their order, while `at_once` of them run.

    The next one is taken from the iterator when one is done, so that the data of only a few is in memory.
    """
    working: deque[asyncio.Task[T]] = deque()
    try:
        async for work in works:
            working.append(asyncio.create_task(work))
            if len(working) >= at_once:
                yield await working[0]
                working.popleft()
        while working:
            yield await working[0]
            working.popleft()
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
