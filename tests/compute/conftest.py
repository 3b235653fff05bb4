from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.compute.candles.column_files import ColumnFiles
from services.compute.workers.pool import WorkerPool
from tests.compute.acting import Gate
from tests.compute.one_worker import one_worker


@pytest.fixture(scope="package")
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker."""
    async with one_worker() as pool:
        yield pool


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """The gate of `tmp_path`, closed."""
    with Gate(tmp_path) as gate:
        yield gate


@pytest.fixture
def files(tmp_path: Path) -> ColumnFiles:
    return ColumnFiles(tmp_path / "columns", 1.0)
