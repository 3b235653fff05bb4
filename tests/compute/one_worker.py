"""A pool of one worker for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import forkserver, resource_tracker

from services.compute.workers.pool import WorkerPool


@asynccontextmanager
async def one_worker() -> AsyncIterator[WorkerPool]:
    """A pool, and nothing of it left afterwards."""
    async with WorkerPool(1) as pool:
        yield pool
    # What workers come from would live as long as this process, and look like something left running.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
