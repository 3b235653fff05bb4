from collections.abc import AsyncIterator

import pytest

from services.compute.workers.pool import WorkerPool
from tests.compute.one_worker import one_worker


@pytest.fixture(scope="package")
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker."""
    async with one_worker() as pool:
        yield pool
