"""The histories that a worker has mapped and keeps, as mapping one takes as long as a backtest on it."""

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backcast_engine.history import History

_MOST_FILES = 4_096


class MappedHistory(NamedTuple):
    """A history, and the words (int64) of the mapped file that its columns are views of."""

    words: NDArray[np.int64]
    history: History


class _FileIdentity(NamedTuple):
    """What a file has of its own: while it is mapped, no other file gets its inode."""

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
        self._kept: OrderedDict[Hashable, tuple[str, _FileIdentity, MappedHistory]] = OrderedDict()

    def history(
        self, series: Hashable, path: str, map_file: Callable[[NDArray[np.int64] | None], MappedHistory]
    ) -> History:
        """Return the history that `map_file` has made of the file at `path`, now or before.

        Where the file has become that of a newer version, `map_file` gets the words that are mapped already,
        as to map and to read them again takes longer than a backtest. Else it gets None.

        Raises FileNotFoundError where there is no file, and what `map_file` raises.
        """
        try:
            found = os.stat(path)  # noqa: PTH116  # a Path would take longer than the call
        except FileNotFoundError:
            self._kept.pop(series, None)
            raise
        file = _FileIdentity(found.st_dev, found.st_ino, found.st_size)
        words = None
        if kept := self._kept.get(series):
            kept_path, kept_file, mapped = kept
            if kept_file == file:
                if kept_path == path:
                    self._kept.move_to_end(series)
                    return mapped.history
                words = mapped.words
            del self._kept[series]
        mapped = map_file(words)
        self._kept[series] = path, file, mapped
        if words is not None:
            # The others may have grown as well, after an import of all: they have other paths too, until they
            # are read.
            return mapped.history
        while len(self._kept) > 1 and (len(self._kept) > self._most_files or self._oldest_is_gone()):
            self._kept.popitem(last=False)
        return mapped.history

    def _oldest_is_gone(self) -> bool:
        """Return whether the file was deleted, to make room on the disk: so far it has not made any."""
        path, _, _ = next(iter(self._kept.values()))
        return not os.path.exists(path)  # noqa: PTH110  # as above


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; return how many it should keep mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(_MOST_FILES, soft // 2)
