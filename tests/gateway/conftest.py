from collections.abc import Iterator
from pathlib import Path

import pytest

from services.local.valkey import EmbeddedValkey


@pytest.fixture(scope="session")
def valkey(short_folder: Path) -> Iterator[EmbeddedValkey]:
    """A cache server for tests that need nothing else."""
    folder = short_folder / "valkey-alone"
    folder.mkdir()
    with EmbeddedValkey(folder) as server:
        yield server
