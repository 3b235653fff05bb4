"""The histories that a worker has mapped and keeps, as mapping one takes as long as a backtest on it."""

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import NamedTuple

from services.domain.history import History

_MOST_FILES = 4_096


class _FileIdentity(NamedTuple):
    """What a file has of its own: while it is mapped, no other file gets its inode."""

    path: str
    device: int
    inode: int
    size: int


class KeptHistories:
    """Mapped histories, of which the least recently used are dropped above `most_files`.

    Each takes a file descriptor. Of each series, one version is kept: a newer one takes its place, so that
    superseded files do not keep their space on the disk.
    """

    def __init__(self, most_files: int) -> None:
        self._most_files = most_files
        self._kept: OrderedDict[Hashable, tuple[_FileIdentity, History]] = OrderedDict()

    def history(self, series: Hashable, path: str, map_file: Callable[[], History]) -> History:
        """Return what `map_file` has made of the file at `path`, now or before.

        Raises FileNotFoundError where there is no file, and what `map_file` raises.
        """
        try:
            found = os.stat(path)  # noqa: PTH116  # a Path would take longer than the call
        except FileNotFoundError:
            self._kept.pop(series, None)
            raise
        file = _FileIdentity(path, found.st_dev, found.st_ino, found.st_size)
        kept = self._kept.get(series)
        if kept and kept[0] == file:
            self._kept.move_to_end(series)
            return kept[1]
        self._kept.pop(series, None)
        history = map_file()
        self._kept[series] = file, history
        if len(self._kept) > self._most_files:
            self._kept.popitem(last=False)
        return history


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; return how many it should keep mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(_MOST_FILES, soft // 2)
