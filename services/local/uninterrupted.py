"""Work that a cancellation must not leave half done."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Do all of `work`; a cancellation of the caller meanwhile is raised afterwards."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        # Asked for here, or asyncio would complain that an error of the task was never seen.
        await asyncio.gather(task, return_exceptions=True)
        raise cancellation
    return task.result()


async def in_thread(work: Callable[[], T]) -> T:
    """Do `work` in a thread, which nothing can interrupt: a cancellation waits for its end."""
    return await uninterrupted(asyncio.to_thread(work))
