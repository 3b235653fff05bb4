from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.local.stack import LocalStack
from tests.end_to_end.faults.stacks import stack_of_its_own


@pytest.fixture(scope="package")
async def long_stack(short_folder: Path) -> AsyncIterator[LocalStack]:
    """A stack with one worker and long histories, which take it long."""
    async with stack_of_its_own(short_folder / "long", BACKCAST_COMPUTE_WORKERS="1") as stack:
        yield stack
