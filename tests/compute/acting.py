"""Functions that tests have workers run: the workers import them by name."""

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Any, Never, Self

import numpy as np
from numpy.typing import NDArray

from backcast_engine.errors import NotFound
from backcast_engine.history import History
from services.compute.tasks.batch import BatchResult, TaskBatch, run_batch


def act(folder: str, what: str = "") -> int:
    """Leave a mark in `folder`, then do what functions do not do; return how many marks there were."""
    marks = marks_in(folder)
    (Path(folder) / f"{marks}-{os.getpid()}").touch()
    if what == "die" or (what == "die once" and marks == 0):
        os._exit(1)
    if what == "fail":
        raise ZeroDivisionError("as the test demands")
    if what == "stop" or (what == "stop once" and marks == 0):
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "wait" or (what == "wait after the first" and marks > 0):
        with _gate_of(folder).open() as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
    return marks


class Gate:
    """The gate at which calls of `act` on a folder wait: closed until it is opened, or its context ends."""

    def __init__(self, folder: Path) -> None:
        self._file = _gate_of(folder).open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()

    def open(self) -> None:
        """Let pass those that wait, and those that come."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()


def _gate_of(folder: str | Path) -> Path:
    # Beside the folder, which has marks only.
    return Path(f"{folder}.gate")


def marks_in(folder: str | Path) -> int:
    return len(list(Path(folder).iterdir()))


def act_on_candles(history: History, argument: tuple[str, str]) -> int:
    """Act as a task on candles does."""
    return act(*argument)


def candle_count(history: History, times: int) -> int:
    return len(history.candles) * times


def run_batch_in_a_millisecond_each(batch: TaskBatch) -> BatchResult:
    """Run a batch, and say that each of its tasks took a millisecond."""
    return replace(run_batch(batch), seconds=0.001 * len(batch.tasks))


def imported(package: str) -> list[str]:
    """Return the modules of a package that this process has imported."""
    return [name for name in sys.modules if name.partition(".")[0] == package]


def negative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return -values


def not_found() -> Never:
    raise NotFound("there is none")


class TwoPartError(Exception):
    """Pickling forgets what it was made of."""

    def __init__(self, part: str, other: str) -> None:
        super().__init__(part + other)


def raise_two_parts() -> Never:
    raise TwoPartError("in two", " parts")


def unpicklable() -> Callable[[], Any]:
    return lambda: None


def end_at_once(service: socket) -> None:
    """Stand in for a worker that cannot start."""
    service.close()
