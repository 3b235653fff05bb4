"""Processes that stand still, as where a disk hangs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a server and all of its processes, and let them go on in the end."""
    main = psutil.Process(pid)
    main.suspend()
    processes = [main, *main.children(recursive=True)]
    with ExitStack() as to_resume:
        for process in processes:
            to_resume.callback(process.resume)
            process.suspend()
        yield
