"""How much memory processes take."""

import threading
from types import TracebackType
from typing import Self

import psutil

_PAUSE_S = 0.01


class PeakMemory:
    """Watches processes and all of their descendants while its context lasts.

    What is counted is their resident memory, summed: pages that several of them share count for each.
    """

    def __init__(self, process_ids: list[int]) -> None:
        self.peak_bytes = 0
        """The most that there was at once."""
        self._roots = list(map(psutil.Process, process_ids))
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            self.peak_bytes = max(self.peak_bytes, self._bytes())

    def _bytes(self) -> int:
        total = 0
        descendants = (child for root in self._roots for child in root.children(recursive=True))
        for process in (*self._roots, *descendants):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total
