"""The histories that a worker has mapped and keeps, as mapping one takes as long as a backtest on it."""

import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from services.domain.history import History

_File = tuple[str, int, int, int]

# Each mapped file takes a file descriptor.
_MOST_FILES = 4_096


class _Kept(NamedTuple):
    files: list[_File]
    history: History


@dataclass(slots=True)
class _Version:
    """What is kept of one version of a series: a history for each set of columns."""

    fingerprint: str
    histories: dict[tuple[str, ...], _Kept] = field(default_factory=dict)


class KeptHistories:
    """Mapped histories; those of the least recently used series are dropped above `most_files` mapped files.

    Of each series, one version is kept: a newer one takes its place, so that superseded files do not keep
    their space on the disk.
    """

    def __init__(self, most_files: int) -> None:
        self._most_files = most_files
        self._files = 0
        self._kept: OrderedDict[Hashable, _Version] = OrderedDict()

    def history(
        self,
        series: Hashable,
        fingerprint: str,
        columns: tuple[str, ...],
        paths: list[str],
        map_files: Callable[[], History],
    ) -> History:
        """Return what `map_files` has made of the files at `paths`, now or before.

        Raises FileNotFoundError where one of them is missing, and what `map_files` raises.
        """
        try:
            files = list(map(_file, paths))
        except FileNotFoundError:
            self._drop(series)
            raise
        version = self._kept.get(series)
        if version and version.fingerprint == fingerprint:
            kept = version.histories.get(columns)
            if kept and kept.files == files:
                self._kept.move_to_end(series)
                return kept.history
            self._forget(version, columns)
        else:
            self._drop(series)
            version = _Version(fingerprint)
        history = map_files()
        version.histories[columns] = _Kept(files, history)
        self._files += len(files)
        self._kept[series] = version
        self._kept.move_to_end(series)
        while self._files > self._most_files:
            self._drop(next(iter(self._kept)))
        return history

    def _drop(self, series: Hashable) -> None:
        if version := self._kept.pop(series, None):
            for columns in list(version.histories):
                self._forget(version, columns)

    def _forget(self, version: _Version, columns: tuple[str, ...]) -> None:
        if kept := version.histories.pop(columns, None):
            self._files -= len(kept.files)


def _file(path: str) -> _File:
    """Return what identifies a file: while it is mapped, no other one gets its inode."""
    found = os.stat(path)  # noqa: PTH116  # a Path would take longer than the call
    return path, found.st_dev, found.st_ino, found.st_size


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; return how many it should keep mapped."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(_MOST_FILES, soft // 2)
