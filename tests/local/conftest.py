import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import LIMIT_S


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that nothing may still run on when the test ends.

    Not pytest's own: the path would be too long for a socket, and pytest takes away the other accounts' right
    to pass through its folders, which PostgreSQL needs where the tests run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="backcast-test-")).resolve()
    try:
        yield folder
        assert running_in(folder) == []
    finally:
        for process in processes_of(folder):
            process.kill()
        shutil.rmtree(folder)


def running_in(folder: Path) -> list[str]:
    """Return the command lines of what runs on `folder`, when killed ones have had the time to end."""
    deadline = time.monotonic() + LIMIT_S
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [" ".join(process.cmdline()) for process in left]


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that name `folder` in their command, environment or working folder."""
    found = []
    for process in psutil.process_iter():
        try:
            traces = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in trace for trace in traces):
            found.append(process)
    return found
