"""The folder of column files: what is there, what of it helps, and how large it grows.

A file's name tells crypto, interval, the data's fingerprint and the column: `BTCUSDT-1h-4f1c….close`. What
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

from services.compute.candles.location import CryptoData
from services.compute.candles.stored import HISTORY, UNFINISHED, StoredCandles, series
from services.domain.breaks import Break
from services.domain.candles import VALUE_COLUMNS, Candles
from services.domain.errors import ErrorReason, NotFound, Unavailable
from services.domain.history import PartialCandles
from services.domain.interval import Interval

_GB = 10**9
# Nobody writes a file for that long: its writer was killed.
_ABANDONED_S = 3_600

_INTERVALS = "|".join(interval.value for interval in Interval)
# What stands before the first dash is a symbol, quoted as in URLs: BTCUSDT.P has none, nor BTCUSDT_240329.
_NAME = re.compile(
    rf"(?P<series>[^-]+-(?:{_INTERVALS})-)(?P<fingerprint>.+)\.(?P<column>{HISTORY}|{'|'.join(VALUE_COLUMNS)})"
)
# Files of earlier versions, with all columns in one or the times alone, and what their killed writers left.
_OUTDATED = re.compile(
    rf"[^-]+-(?:{_INTERVALS})-.+\.(?:columns|open_time_s)|\.[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
)


@dataclass(frozen=True, slots=True)
class MissingColumns:
    """Columns besides the time that are not here of a crypto's data.

    `there` are the columns that are, the HISTORY among them, by fingerprint. `older_fingerprint` is that of
    other data which has the missing ones, or "".
    """

    data: CryptoData
    columns: tuple[str, ...]
    there: dict[str, set[str]]
    older_fingerprint: str


class ColumnFiles:
    """The folder of column files, which is kept below `max_gb` (10^9 bytes) as far as runs allow it."""

    def __init__(self, folder: Path, max_gb: float) -> None:
        self._folder = folder
        self._max_bytes = int(max_gb * _GB)

    def stored(self, data: CryptoData, interval: Interval, columns: tuple[str, ...]) -> StoredCandles:
        """Return where the columns of this very data are, or would be."""
        return StoredCandles(self._folder, data, interval, columns)

    def missing(
        self, cryptos: Iterable[CryptoData], interval: Interval, columns: tuple[str, ...]
    ) -> list[MissingColumns]:
        """Return what has to be fetched for `columns` of cryptos that do not have them all."""
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
    ) -> CryptoData:
        """Write columns that were fetched, delete what they supersede, and return whose they are.

        `fingerprint` is that of the fetched data; before `unchanged_before_s` its candles are as the older
        data's are. `breaks` and `partial` are those of its whole history.
        Raises NotFound where it has no candle, FileNotFoundError where the older data or the folder went
        away meanwhile, Unavailable where the folder cannot be written.
        """
        data = CryptoData(missing.data.symbol, fingerprint)
        if fingerprint == missing.older_fingerprint:
            return data
        try:
            if unchanged_before_s is not None:
                known = CryptoData(missing.data.symbol, missing.older_fingerprint)
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

    def _delete_superseded(self, missing: MissingColumns, interval: Interval, data: CryptoData) -> None:
        """Delete the columns of other data that there are of `data` now.

        Whoever has an old file mapped keeps it; whoever comes too late for it fetches the new one. Columns
        that there are of the old data only stay, with its HISTORY: for the next run they are the older data.
        """
        now = {HISTORY, *missing.columns}.union(missing.there.get(data.fingerprint, ()))
        for fingerprint, columns in missing.there.items():
            if fingerprint != data.fingerprint:
                old = self.stored(CryptoData(data.symbol, fingerprint), interval, ())
                for column in columns & now - {HISTORY} if columns - now else columns:
                    old.path(column).unlink(missing_ok=True)

    def tidy(self, in_use: Collection[str] = ()) -> None:
        """Delete what killed writers and earlier versions left, and the least recently used files if need be.

        Files of the names `in_use` (see StoredCandles) stay.
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
        """Return the columns that are there, by `series` and fingerprint."""
        there: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if name := _NAME.fullmatch(entry.name):
                    there[name["series"]][unquote(name["fingerprint"])].add(name["column"])
        return there


def _delete_outdated(path: Path) -> None:
    path.unlink()
    # Columns that were written with the times of an earlier version, and that no HISTORY belongs to.
    if not path.with_suffix(f".{HISTORY}").exists():
        for column in VALUE_COLUMNS:
            path.with_suffix(f".{column}").unlink(missing_ok=True)


def _missing(data: CryptoData, columns: tuple[str, ...], there: dict[str, set[str]]) -> MissingColumns:
    here = there.get(data.fingerprint, set())
    absent = tuple(column for column in columns if column not in here)
    if HISTORY not in here or not absent:
        absent = columns
    needed = {HISTORY, *absent}
    older = (other for other, have in there.items() if other != data.fingerprint and needed <= have)
    return MissingColumns(data, absent, there, next(older, ""))
