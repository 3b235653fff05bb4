"""Work that a cancellation must not interrupt."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work`; a cancellation that arrives meanwhile is raised afterwards."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        # Retrieved here, because asyncio logs an exception that is never retrieved.
        await asyncio.gather(task, return_exceptions=True)
        raise cancellation
    return task.result()


async def in_thread(work: Callable[[], T]) -> T:
    """Do `work` in a thread, which cannot be interrupted: a cancellation waits until it ends."""
    return await uninterrupted(asyncio.to_thread(work))
