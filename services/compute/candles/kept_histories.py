"""The histories that a worker has mapped and keeps, as mapping one takes as long as a backtest on it."""

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import NamedTuple

from backcast_engine.history import History

_MOST_FILES = 4_096


class _FileIdentity(NamedTuple):
    """What a file has of its own: while it is mapped, no other file gets its inode."""

    path: str
    device: int
    inode: int
    size: int


class KeptHistories:
    """Mapped histories, of which the least recently used are dropped above `most_files`.

    Each takes a file descriptor. Files that are deleted keep their space on the disk while they are mapped:
    so of each series one version is kept, and the oldest are dropped that were deleted to make room.
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
        while len(self._kept) > 1 and (len(self._kept) > self._most_files or self._oldest_is_gone()):
            self._kept.popitem(last=False)
        return history

    def _oldest_is_gone(self) -> bool:
        """Return whether the file was deleted, to make room on the disk: so far it has not made any."""
        oldest, _ = next(iter(self._kept.values()))
        return not os.path.exists(oldest.path)  # noqa: PTH110  # as above


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; return how many it should keep mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(_MOST_FILES, soft // 2)
