"""The folder of column files: what it has, what is missing, and how large it may grow.

A file's name has crypto, interval and the data's fingerprint: `BTCUSDT-1h-4f1c….candles`. Any number of
processes can share the folder, without locks: files appear in one step and never change. It can be deleted
at any time; what is not there is fetched anew.
"""

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from services.compute.candles.location import DataVersion
from services.compute.candles.stored import SUFFIX, UNFINISHED, FileHeader, StoredCandles, series
from services.domain.breaks import Break
from services.domain.candles import VALUE_COLUMNS, Candles
from services.domain.errors import ErrorReason, NotFound, Unavailable
from services.domain.history import PartialCandles
from services.domain.interval import Interval
from services.domain.times import EARLIEST_S

_GB = 10**9
# No write takes that long: the writer of an older unfinished file was killed.
_ABANDONED_S = 3_600

_INTERVALS = "|".join(interval.value for interval in Interval)
# A symbol has no dash, or it is quoted as in URLs: the symbol ends at the first dash of the name.
_NAME = re.compile(rf"(?P<series>[^-]+-(?:{_INTERVALS})-)(?P<fingerprint>.+){re.escape(SUFFIX)}")
# Files of earlier versions of Backcast, and unfinished files that their killed writers left.
_OUTDATED = re.compile(
    rf"[^-]+-(?:{_INTERVALS})-.+\.(?:columns|open_time_s|history|{'|'.join(VALUE_COLUMNS)})"
    r"|\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


@dataclass(frozen=True, slots=True)
class MissingColumns:
    """Columns besides the time, from `since_s` on, that the folder does not have of a version of the data.

    `there` are the fingerprints of the versions in the folder. `older_fingerprint` is that of another version
    of which the folder has exactly these columns from `since_s` on, or "".
    """

    data: DataVersion
    columns: tuple[str, ...]
    since_s: int
    there: frozenset[str]
    older_fingerprint: str


class ColumnFiles:
    """The folder of column files; least recently used files are deleted above `max_gb` (10^9 bytes)."""

    def __init__(self, folder: Path, max_gb: float) -> None:
        self._folder = folder
        self._max_bytes = int(max_gb * _GB)

    def stored(
        self, data: DataVersion, interval: Interval, columns: tuple[str, ...], since_s: int = EARLIEST_S
    ) -> StoredCandles:
        """Return the location of the columns of this version, whether or not the file exists."""
        return StoredCandles(self._folder, data, interval, columns, since_s)

    def missing(
        self,
        cryptos: Iterable[DataVersion],
        interval: Interval,
        columns: tuple[str, ...],
        since_s: int = EARLIEST_S,
    ) -> list[MissingColumns]:
        """Return what has to be fetched, for cryptos that miss some of `columns` from `since_s` on."""
        there = self._there()
        return [
            self._missing(data, interval, columns, since_s, there[series(data.symbol, interval)])
            for data in cryptos
        ]

    def _missing(
        self, data: DataVersion, interval: Interval, columns: tuple[str, ...], since_s: int, there: set[str]
    ) -> MissingColumns:
        older, known = "", frozenset(there)
        if here := self._header(data, interval):
            if here.since_s <= since_s:
                # What the file has stays, so that the others have to reach as far back.
                columns = tuple(name for name in columns if name not in here.columns) or columns
                since_s = here.since_s
        else:
            for fingerprint in there:
                found = self._header(DataVersion(data.symbol, fingerprint), interval)
                if found and found.has(columns, since_s):
                    columns, since_s, older = found.columns, found.since_s, fingerprint
                    break
        return MissingColumns(data, columns, since_s, known, older)

    def _header(self, data: DataVersion, interval: Interval) -> FileHeader | None:
        with suppress(OSError):
            return FileHeader.read(self.stored(data, interval, ()).path)
        return None

    def write(
        self,
        missing: MissingColumns,
        interval: Interval,
        fingerprint: str,
        unchanged_before_s: int | None,
        blocks: list[Candles],
        breaks: Sequence[Break],
        partial: PartialCandles,
        since_s: int = EARLIEST_S,
    ) -> DataVersion:
        """Write fetched columns, delete the files that they supersede, and return the version written.

        `fingerprint` is that of the fetched data, which has all candles from `since_s` on; before
        `unchanged_before_s` (Unix seconds) its candles are those of the older version. `breaks` and `partial`
        are those of its whole history. Raises NotFound where it has no candle, FileNotFoundError where the
        older files or the folder were deleted meanwhile, Unavailable where the folder cannot be written.
        """
        data = DataVersion(missing.data.symbol, fingerprint)
        if fingerprint == missing.older_fingerprint:
            return data
        columns = missing.columns
        try:
            if unchanged_before_s is not None:
                known = DataVersion(data.symbol, missing.older_fingerprint)
                older = self.stored(known, interval, columns, missing.since_s).map().candles
                blocks = [older[: int(np.searchsorted(older.open_time_s, unchanged_before_s))], *blocks]
            if not any(map(len, blocks)):
                raise NotFound("there are no candles", reason=ErrorReason.NO_CANDLES)
            if here := self._header(data, interval):
                columns, blocks = self._joined(data, interval, here, columns, since_s, blocks)
            self.stored(data, interval, columns, since_s).write(blocks, breaks, partial)
            self._delete_superseded(missing, interval, data)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(f"compute cannot keep candles in {self._folder}: {error.strerror}") from error
        return data

    def _joined(
        self,
        data: DataVersion,
        interval: Interval,
        here: FileHeader,
        columns: tuple[str, ...],
        since_s: int,
        blocks: list[Candles],
    ) -> tuple[tuple[str, ...], list[Candles]]:
        """Return new columns and those of the same version's file, where it reaches as far back."""
        others = tuple(name for name in here.columns if name not in columns)
        if not others or not here.has(others, since_s):
            return columns, blocks
        candles = Candles.concatenate(blocks)
        kept = self.stored(data, interval, others, since_s).map().candles[-len(candles) :]
        columns = tuple(name for name in VALUE_COLUMNS if name in columns or name in others)
        return columns, [replace(candles, **{name: getattr(kept, name) for name in others})]

    def _delete_superseded(self, missing: MissingColumns, interval: Interval, data: DataVersion) -> None:
        """Delete the files of other versions.

        A worker that has mapped an old file keeps it; a worker that comes later fetches the new one.
        """
        for fingerprint in missing.there - {data.fingerprint}:
            self.stored(DataVersion(data.symbol, fingerprint), interval, ()).delete()

    def tidy(self, in_use: Collection[str] = ()) -> None:
        """Delete abandoned and outdated files, and where there are too many bytes, the least recently used.

        Files whose names are `in_use` (see StoredCandles) stay.
        """
        abandoned_before = time.time() - _ABANDONED_S
        total = 0
        deletable = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                # Another process may have deleted it since.
                with suppress(OSError):
                    if _NAME.fullmatch(entry.name):
                        found = entry.stat()
                        total += found.st_size
                        if entry.name not in in_use:
                            deletable.append((found.st_mtime_ns, found.st_size, Path(entry)))
                    elif _OUTDATED.fullmatch(entry.name) or (
                        entry.name.endswith(UNFINISHED) and entry.stat().st_mtime < abandoned_before
                    ):
                        os.unlink(entry)
        for _, size, path in sorted(deletable):
            if total <= self._max_bytes:
                break
            with suppress(OSError):
                path.unlink()
            total -= size

    def _there(self) -> dict[str, set[str]]:
        """Return the fingerprints of the versions that the folder has, by `series`."""
        there: dict[str, set[str]] = defaultdict(set)
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if name := _NAME.fullmatch(entry.name):
                    there[name["series"]].add(unquote(name["fingerprint"]))
        return there
