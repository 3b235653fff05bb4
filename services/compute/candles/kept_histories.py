"""The histories that a worker has mapped and keeps, as mapping one takes as long as a backtest on it."""

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import NamedTuple

from services.domain.history import History

# Each mapped file takes a file descriptor.
_MOST_FILES = 4_096


class _Kept(NamedTuple):
    files: list[tuple[str, int, int, int]]
    history: History


class KeptHistories:
    """Mapped histories, of which the least recently used are dropped above `most_files` mapped files.

    Of each series, one version is kept: a newer one takes its place, so that superseded files do not keep
    their space on the disk.
    """

    def __init__(self, most_files: int) -> None:
        self._most_files = most_files
        self._files = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def history(self, series: Hashable, paths: list[str], map_files: Callable[[], History]) -> History:
        """Return what `map_files` has made of the files at `paths`, now or before.

        Raises FileNotFoundError where one of them is missing, and what `map_files` raises.
        """
        try:
            files = list(map(_identity, paths))
        except FileNotFoundError:
            self._drop(series)
            raise
        kept = self._kept.get(series)
        if kept and kept.files == files:
            self._kept.move_to_end(series)
            return kept.history
        self._drop(series)
        history = map_files()
        self._kept[series] = _Kept(files, history)
        self._files += len(files)
        while self._files > self._most_files:
            self._drop(next(iter(self._kept)))
        return history

    def _drop(self, series: Hashable) -> None:
        if dropped := self._kept.pop(series, None):
            self._files -= len(dropped.files)


def _identity(path: str) -> tuple[str, int, int, int]:
    """Return what a file has of its own: while it is mapped, no other file gets its inode."""
    found = os.stat(path)  # noqa: PTH116  # a Path would take longer than the call
    return path, found.st_dev, found.st_ino, found.st_size


def most_open_files() -> int:
    """Allow this process as many open files as it may have; return how many it should keep mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(_MOST_FILES, soft // 2)
