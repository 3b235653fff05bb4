"""The folder of column files: what it has, what is missing, and how large it may grow.

A file's name has crypto, interval and the data's fingerprint: `BTCUSDT-1h-4f1c….series`. Any number of
processes can share the folder, without locks: files appear in one step, and their candles never change. The
folder can be deleted at any time; what is not there is fetched anew.
"""

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import ErrorReason, NotFound
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.file_header import FileHeader
from services.compute.candles.location import DataVersion
from services.compute.candles.stored import SUFFIX, UNFINISHED, StoredCandles, series
from services.domain.errors import Unavailable

_GB = 10**9
# No write takes that long: the writer of an older unfinished file was killed.
_ABANDONED_S = 3_600

_INTERVALS = "|".join(interval.value for interval in Interval)
# A symbol has no dash, or it is quoted as in URLs: the symbol ends at the first dash of the name.
_NAME = re.compile(rf"(?P<series>[^-]+-(?:{_INTERVALS})-)(?P<fingerprint>.+){re.escape(SUFFIX)}")
# Files of earlier versions of Backcast, and unfinished files that their killed writers left.
_OUTDATED = re.compile(
    rf"[^-]+-(?:{_INTERVALS})-.+\.(?:candles|columns|open_time_s|history|{'|'.join(VALUE_COLUMNS)})"
    r"|\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


@dataclass(frozen=True, slots=True)
class MissingColumns:
    """Columns besides the time, from `since_s` on, that have to be fetched of a version of a crypto's data.

    `there` are the fingerprints of the versions in the folder. `older_fingerprint` is that of another version
    of which the folder has these columns from `since_s` on, or "".
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
        self._max_bytes = round(max_gb * _GB)

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
            self._missing(data, interval, columns, since_s, frozenset(there[series(data.symbol, interval)]))
            for data in cryptos
        ]

    def _missing(
        self,
        data: DataVersion,
        interval: Interval,
        columns: tuple[str, ...],
        since_s: int,
        there: frozenset[str],
    ) -> MissingColumns:
        if here := self._header(data, interval):
            if here.since_s > since_s:
                # Everything, as whoever looks further back once will do it again.
                return MissingColumns(data, _joined(columns, here.columns), EARLIEST_S, there, "")
            # The columns that the file has stay, and the others have to begin where these do.
            absent = tuple(name for name in columns if name not in here.columns)
            return MissingColumns(data, absent or columns, here.since_s, there, "")
        for fingerprint in there:
            older = self._header(DataVersion(data.symbol, fingerprint), interval)
            if older and older.has(columns, since_s):
                return MissingColumns(data, older.columns, older.since_s, there, fingerprint)
        return MissingColumns(data, columns, since_s, there, "")

    def _header(self, data: DataVersion, interval: Interval) -> FileHeader | None:
        return self.stored(data, interval, ()).header()

    def write(self, missing: MissingColumns, interval: Interval, fetched: FetchedHistory) -> DataVersion:
        """Write what was fetched of the missing columns, and return its version; delete other versions.

        Raises NotFound where it has no candle, FileNotFoundError where the folder has changed, and something
        else is missing now, Unavailable where the folder cannot be written.
        """
        data = DataVersion(missing.data.symbol, fetched.fingerprint)
        if data.fingerprint == missing.older_fingerprint:
            return data
        stored = self.stored(data, interval, missing.columns, missing.since_s)
        try:
            superseded = missing.there - {data.fingerprint}
            if fetched.unchanged_before_s is None:
                _write_with_others(stored, fetched.blocks, fetched)
            else:
                older = replace(stored, data=DataVersion(data.symbol, missing.older_fingerprint))
                if not stored.header() and older.grow(data, fetched):
                    superseded -= {missing.older_fingerprint}
                else:
                    _write_after(older, stored, fetched.unchanged_before_s, fetched)
            for fingerprint in superseded:
                # A worker that has it mapped keeps it; a worker that comes later fetches the new one.
                self.stored(DataVersion(data.symbol, fingerprint), interval, ()).delete()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(f"compute cannot keep candles in {self._folder}: {error.strerror}") from error
        return data

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
                        Path(entry).unlink()
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


def _write_after(
    older: StoredCandles, stored: StoredCandles, unchanged_before_s: int, fetched: FetchedHistory
) -> None:
    """Write what was fetched after the candles of an older version that open before `unchanged_before_s`."""
    candles = older.map().candles
    # The file may begin earlier, and what changed there was not fetched.
    start, end = candles.open_time_s.searchsorted((stored.since_s, unchanged_before_s)).tolist()
    _write_with_others(stored, [candles[start:end], *fetched.blocks], fetched)


def _write_with_others(stored: StoredCandles, blocks: list[Candles], fetched: FetchedHistory) -> None:
    """Write fetched columns, together with the other ones that the file of this version has.

    No file takes the place of one that has more. Raises FileNotFoundError where the file has earlier candles,
    or other columns of fewer candles: another process has written it since. Raises NotFound where there is no
    candle.
    """
    if not any(map(len, blocks)) and fetched.since_s <= EARLIEST_S:
        raise NotFound("there are no candles", reason=ErrorReason.NO_CANDLES)
    if here := stored.header():
        if here.has(stored.columns, stored.since_s):
            return
        if here.since_s < stored.since_s:
            raise FileNotFoundError(stored.name)
        others = tuple(name for name in here.columns if name not in stored.columns)
        if others:
            # Not there where the file begins later.
            there = replace(stored, columns=others).map().candles
            candles = Candles.concatenate(blocks)
            blocks = [replace(candles, **{name: getattr(there, name) for name in others})]
            stored = replace(stored, columns=_joined(stored.columns, others))
    replace(stored, since_s=fetched.since_s).write(blocks, fetched.breaks, fetched.partial)


def _joined(columns: Collection[str], others: Collection[str]) -> tuple[str, ...]:
    """Return the columns of both, in the candles' order."""
    return tuple(name for name in VALUE_COLUMNS if name in columns or name in others)
