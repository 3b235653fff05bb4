from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.local.stack import LocalStack
from tests.end_to_end.faults.stacks import stack_of_its_own
from tests.folders import new_folder


@pytest.fixture(scope="package")
def long_folder(short_folder: Path) -> Path:
    """The folder of the stack with long histories."""
    return new_folder(short_folder, "long")


@pytest.fixture(scope="package")
async def long_stack(long_folder: Path) -> AsyncIterator[LocalStack]:
    """A stack with one worker and long histories, which take it long."""
    async with stack_of_its_own(long_folder, BACKCAST_COMPUTE_WORKERS="1") as stack:
        yield stack
