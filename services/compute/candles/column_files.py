"""The folder of column files: which columns it has, which are missing, and how large it may grow.

A file's name has crypto, interval, the data's fingerprint and the column: `BTCUSDT-1h-4f1c….close`. What
belongs to all columns is in `….history`, and without that file the columns count as missing. Any number of
processes can share the folder, without locks: files appear in one step and never change. It can be deleted
at any time; what is not there is fetched anew.
"""

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from services.compute.candles.location import DataVersion
from services.compute.candles.stored import HISTORY, UNFINISHED, StoredCandles, series
from services.domain.breaks import Break
from services.domain.candles import VALUE_COLUMNS, Candles
from services.domain.errors import ErrorReason, NotFound, Unavailable
from services.domain.history import PartialCandles
from services.domain.interval import Interval

_GB = 10**9
# No write takes that long: the writer of an older unfinished file was killed.
_ABANDONED_S = 3_600

_INTERVALS = "|".join(interval.value for interval in Interval)
# A symbol has no dash, or it is quoted as in URLs: the symbol ends at the first dash of the name.
_NAME = re.compile(
    rf"(?P<series>[^-]+-(?:{_INTERVALS})-)(?P<fingerprint>.+)\.(?P<column>{HISTORY}|{'|'.join(VALUE_COLUMNS)})"
)
# Files of earlier versions of Backcast, and unfinished files that their killed writers left.
_OUTDATED = re.compile(
    rf"[^-]+-(?:{_INTERVALS})-.+\.(?:columns|open_time_s)|\.[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
)


@dataclass(frozen=True, slots=True)
class MissingColumns:
    """Columns besides the time that the folder does not have of a version of a crypto's data.

    `there` are the columns that it has, the HISTORY among them, by fingerprint. `older_fingerprint` is that
    of another version of which it has the missing columns, or "".
    """

    data: DataVersion
    columns: tuple[str, ...]
    there: dict[str, set[str]]
    older_fingerprint: str


class ColumnFiles:
    """The folder of column files; least recently used files are deleted above `max_gb` (10^9 bytes)."""

    def __init__(self, folder: Path, max_gb: float) -> None:
        self._folder = folder
        self._max_bytes = int(max_gb * _GB)

    def stored(self, data: DataVersion, interval: Interval, columns: tuple[str, ...]) -> StoredCandles:
        """Return the location of the columns of this version, whether or not the files exist."""
        return StoredCandles(self._folder, data, interval, columns)

    def missing(
        self, cryptos: Iterable[DataVersion], interval: Interval, columns: tuple[str, ...]
    ) -> list[MissingColumns]:
        """Return the columns that have to be fetched, for cryptos of which some of `columns` are missing."""
        there = self._there()
        return [_missing(data, columns, there[series(data.symbol, interval)]) for data in cryptos]

    def write(
        self,
        missing: MissingColumns,
        interval: Interval,
        fingerprint: str,
        unchanged_before_s: int | None,
        blocks: list[Candles],
        breaks: Sequence[Break],
        partial: PartialCandles,
    ) -> DataVersion:
        """Write fetched columns, delete the files that they supersede, and return the version written.

        `fingerprint` is that of the fetched data; before `unchanged_before_s` (Unix seconds) its candles are
        those of the older version. `breaks` and `partial` are those of its whole history.
        Raises NotFound where it has no candle, FileNotFoundError where the older files or the folder were
        deleted meanwhile, Unavailable where the folder cannot be written.
        """
        data = DataVersion(missing.data.symbol, fingerprint)
        if fingerprint == missing.older_fingerprint:
            return data
        try:
            if unchanged_before_s is not None:
                known = DataVersion(missing.data.symbol, missing.older_fingerprint)
                older = self.stored(known, interval, missing.columns).map().candles
                blocks = [older[: int(np.searchsorted(older.open_time_s, unchanged_before_s))], *blocks]
            if not any(map(len, blocks)):
                raise NotFound("there are no candles", reason=ErrorReason.NO_CANDLES)
            self.stored(data, interval, missing.columns).write(blocks, breaks, partial)
            self._delete_superseded(missing, interval, data)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(f"compute cannot keep candles in {self._folder}: {error.strerror}") from error
        return data

    def _delete_superseded(self, missing: MissingColumns, interval: Interval, data: DataVersion) -> None:
        """Delete the columns of other versions which the folder now has of `data`.

        A worker that has mapped an old file keeps it; a worker that comes later fetches the new one. Columns
        that only an old version has stay, with its HISTORY: the next job fetches only their changes.
        """
        now = {HISTORY, *missing.columns}.union(missing.there.get(data.fingerprint, ()))
        for fingerprint, columns in missing.there.items():
            if fingerprint != data.fingerprint:
                old = self.stored(DataVersion(data.symbol, fingerprint), interval, ())
                for column in columns & now - {HISTORY} if columns - now else columns:
                    old.path(column).unlink(missing_ok=True)

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
                        if entry.name.rpartition(".")[0] not in in_use:
                            deletable.append((found.st_mtime_ns, found.st_size, Path(entry)))
                    elif _OUTDATED.fullmatch(entry.name) or (
                        entry.name.endswith(UNFINISHED) and entry.stat().st_mtime < abandoned_before
                    ):
                        _delete_outdated(Path(entry))
        for _, size, path in sorted(deletable):
            if total <= self._max_bytes:
                break
            with suppress(OSError):
                path.unlink()
            total -= size

    def _there(self) -> dict[str, dict[str, set[str]]]:
        """Return the columns that the folder has, by `series` and fingerprint."""
        there: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if name := _NAME.fullmatch(entry.name):
                    there[name["series"]][unquote(name["fingerprint"])].add(name["column"])
        return there


def _delete_outdated(path: Path) -> None:
    path.unlink()
    # Columns of an earlier version of Backcast, which have no HISTORY.
    if not path.with_suffix(f".{HISTORY}").exists():
        for column in VALUE_COLUMNS:
            path.with_suffix(f".{column}").unlink(missing_ok=True)


def _missing(data: DataVersion, columns: tuple[str, ...], there: dict[str, set[str]]) -> MissingColumns:
    here = there.get(data.fingerprint, set())
    absent = tuple(column for column in columns if column not in here)
    if HISTORY not in here or not absent:
        absent = columns
    needed = {HISTORY, *absent}
    older = (other for other, have in there.items() if other != data.fingerprint and needed <= have)
    return MissingColumns(data, absent, there, next(older, ""))
