"""A measure in a fresh process, as a worker of compute is one.

Its memory is its own, and it has nothing in its caches.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tests.bench.timing import Timing

# Opened in the process, it gives what measures a round there.
OpensMeasure = Callable[..., AbstractContextManager[Callable[[int], Timing]]]


@dataclass(frozen=True, slots=True)
class OwnProcess:
    """The benchmark's end of the process."""

    process_id: int
    pipe: Connection

    async def measure(self, number: int) -> Timing:
        """Measure a round there."""
        self.pipe.send(number)
        timing: Timing = self.pipe.recv()
        return timing


@contextmanager
def own_process(opens: OpensMeasure, *arguments: object) -> Iterator[OwnProcess]:
    """Start a process with its measure opened; it measures when it is asked to."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_measure_when_asked, args=(there, opens, arguments))
    process.start()
    # Closed here, so that the pipe ends when the process does.
    there.close()
    try:
        assert process.pid is not None
        yield OwnProcess(process.pid, here)
    finally:
        here.close()
        process.join()


def _measure_when_asked(pipe: Connection, opens: OpensMeasure, arguments: tuple[object, ...]) -> None:
    # Ctrl-C is the benchmark's business; the processes that this one starts inherit that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with opens(*arguments) as measure:
        while True:
            try:
                number = pipe.recv()
            except EOFError:
                return
            pipe.send(measure(number))
