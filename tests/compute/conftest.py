from collections.abc import AsyncIterator
from multiprocessing import forkserver, resource_tracker

import pytest

from services.compute.pool import WorkerPool


@pytest.fixture(scope="package")
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker."""
    async with WorkerPool(1) as pool:
        yield pool
    # What workers come from would live as long as this process, and look like something left running.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
