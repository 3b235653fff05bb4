"""Candles in memory-mapped files, one for each history: read by every worker without a copy.

A file consists of little-endian words of 8 bytes. It begins with five numbers (int64): how many candles it
holds, from when on it holds all of them (`since_s`), which columns (a bit for each of VALUE_COLUMNS, the
lowest for the first), how many breaks and how many partial candles. Then come the opening times (int64) and
the columns (float64) one after the other, then of the breaks `before_s`, `after_s`, `close` and `open`, then
`open_time_s` and `hours` of the partial candles (float64 where these are prices, else int64). A file appears
in one step and never changes; another file may take its place, with more columns or earlier candles.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import NamedTuple, Self
from urllib.parse import quote
from uuid import uuid4

import numpy as np

from services.compute.candles.kept_histories import KeptHistories, raise_file_limit
from services.compute.candles.location import DataVersion
from services.domain.breaks import Break
from services.domain.candles import VALUE_COLUMNS, Candles
from services.domain.history import History, PartialCandles
from services.domain.interval import Interval
from services.domain.times import EARLIEST_S

# What a file's name ends with.
SUFFIX = ".candles"
# Of a file that is being written: its name is a dot, something unique, and this.
UNFINISHED = ".unfinished"

_HEADER = Struct("<5q")
_HEADER_WORDS = _HEADER.size // 8
_EMPTY = np.empty(0)
NO_PARTIAL = PartialCandles.none()


class FileHeader(NamedTuple):
    """What a file holds: its columns besides the time, of all candles that open from `since_s` on."""

    candle_count: int
    since_s: int
    columns: tuple[str, ...]
    break_count: int
    partial_count: int

    @classmethod
    def of(cls, start: bytes) -> Self:
        """Return the header that a file begins with; raise ValueError where it is incomplete."""
        if len(start) < _HEADER.size:
            raise ValueError
        candle_count, since_s, bits, break_count, partial_count = _HEADER.unpack_from(start)
        columns = tuple(name for position, name in enumerate(VALUE_COLUMNS) if bits >> position & 1)
        return cls(candle_count, since_s, columns, break_count, partial_count)

    @classmethod
    def read(cls, path: str) -> Self:
        """Return the header of a file; raise FileNotFoundError where there is none, or an incomplete one."""
        file = os.open(path, os.O_RDONLY)
        try:
            return cls.of(os.pread(file, _HEADER.size, 0))
        except ValueError:
            raise FileNotFoundError(path) from None
        finally:
            os.close(file)

    @property
    def word_count(self) -> int:
        """The number of words of the whole file."""
        of_candles = (1 + len(self.columns)) * self.candle_count
        return _HEADER_WORDS + of_candles + 4 * self.break_count + 2 * self.partial_count

    def packed(self) -> bytes:
        """Return the bytes that a file begins with."""
        bits = sum(1 << VALUE_COLUMNS.index(name) for name in self.columns)
        return _HEADER.pack(self.candle_count, self.since_s, bits, self.break_count, self.partial_count)

    def has(self, columns: Sequence[str], since_s: int) -> bool:
        """Return whether the file holds these columns of all candles from `since_s` on."""
        return self.since_s <= since_s and all(name in self.columns for name in columns)


@dataclass(frozen=True)
class StoredCandles:
    """One crypto's history in a file: some columns besides the time, from `since_s` on (Unix seconds).

    The file may have more columns, and earlier candles.
    """

    folder: Path
    data: DataVersion
    interval: Interval
    columns: tuple[str, ...]
    since_s: int = EARLIEST_S

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{series(self.data.symbol, self.interval)}{quote(self.data.fingerprint, safe='')}{SUFFIX}"

    @property
    def path(self) -> str:
        """The file's path, whether or not it exists."""
        # Not a Path, of which a run would make hundreds.
        return f"{self.folder}/{self.name}"

    def header(self) -> FileHeader | None:
        """Return the file's header, None where there is no such file."""
        with suppress(OSError):
            return FileHeader.read(self.path)
        return None

    def use(self) -> bool:
        """Return whether the file is there and holds all of it, and mark the file as used now."""
        path = self.path
        with suppress(OSError):
            if FileHeader.read(path).has(self.columns, self.since_s):
                os.utime(path)
                return True
        return False

    def load(self) -> tuple[DataVersion, History]:
        """Map the file as `map` does, unless this process has kept it mapped; see CandleLocation."""
        kept_as = f"{self.folder}/{series(self.data.symbol, self.interval)}"
        history = _kept_histories().history(kept_as, self.path, self._map)
        self._check(history)
        return self.data, history

    def map(self) -> History:
        """Map the file: all candles and columns that it holds. Columns are read-only, absent ones are empty.

        Raises FileNotFoundError where the file is missing or incomplete (then it is deleted), or where it
        holds less than what is asked for.
        """
        history = self._map()
        self._check(history)
        return history

    def _check(self, history: History) -> None:
        count = len(history.candles)
        if history.since_s > self.since_s or any(
            len(getattr(history.candles, name)) < count for name in self.columns
        ):
            raise FileNotFoundError(self.name)

    def _map(self) -> History:
        try:
            words = _mapped(self.path)
            header = FileHeader.of(words[:_HEADER_WORDS].tobytes())
            if len(words) != header.word_count:
                raise ValueError
        except ValueError:
            # A power cut can truncate a file: it is fetched again.
            self.delete()
            raise FileNotFoundError(self.name) from None
        shape = 1 + len(header.columns), header.candle_count
        end = _HEADER_WORDS + shape[0] * shape[1]
        open_time_s, *values = words[_HEADER_WORDS:end].reshape(shape)
        there = {name: column.view("<f8") for name, column in zip(header.columns, values, strict=True)}
        candles = Candles(open_time_s, **{name: there.get(name, _EMPTY) for name in VALUE_COLUMNS})
        breaks, partial = _breaks_and_partial(words[end:], header)
        return History(candles, breaks, partial, header.since_s)

    def write(
        self, parts: Sequence[Candles], breaks: Sequence[Break] = (), partial: PartialCandles = NO_PARTIAL
    ) -> None:
        """Write parts that follow each other in time, in one step for all readers.

        `breaks` and `partial` are those of the whole history.

        Raises FileNotFoundError where the folder was deleted meanwhile, other OSErrors where it cannot be
        written.
        """
        # Not exist_ok=True, which fails where the folder is deleted while it looks.
        with suppress(FileExistsError):
            self.folder.mkdir(parents=True)
        header = FileHeader(
            sum(map(len, parts)), self.since_s, self.columns, len(breaks), len(partial.open_time_s)
        )
        unfinished = self.folder / f".{uuid4()}{UNFINISHED}"
        try:
            with unfinished.open("wb") as file:
                file.write(header.packed())
                for column in ("open_time_s", *self.columns):
                    file.writelines(getattr(part, column).data for part in parts)
                file.write(_packed(breaks, partial))
            unfinished.replace(self.path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def delete(self) -> None:
        """Delete the file; whoever has it mapped keeps it."""
        Path(self.path).unlink(missing_ok=True)


@cache
def _kept_histories() -> KeptHistories:
    return KeptHistories(raise_file_limit())


def series(symbol: str, interval: Interval) -> str:
    """Return the part of the files' names of a crypto before the fingerprint."""
    return f"{quote(symbol, safe='')}-{interval.value}-"


def _packed(breaks: Sequence[Break], partial: PartialCandles) -> bytes:
    """Return the bytes of a file after the columns."""
    times = [[each.before_s for each in breaks], [each.after_s for each in breaks]]
    prices = [[each.close for each in breaks], [each.open for each in breaks]]
    columns = [
        *(np.array(column, "<i8") for column in times),
        *(np.array(column, "<f8") for column in prices),
        partial.open_time_s.astype("<i8"),
        partial.hours.astype("<i8"),
    ]
    return b"".join(column.tobytes() for column in columns)


def _breaks_and_partial(words: np.ndarray, header: FileHeader) -> tuple[tuple[Break, ...], PartialCandles]:
    """Return breaks and partial candles from the words of a file after the columns."""
    if not len(words):
        return (), NO_PARTIAL
    of_breaks = 4 * header.break_count
    before_s, after_s, close, open_ = words[:of_breaks].reshape(4, header.break_count)
    prices = close.view("<f8").tolist(), open_.view("<f8").tolist()
    times_s, hours = words[of_breaks:].reshape(2, header.partial_count)
    found = tuple(map(Break, before_s.tolist(), after_s.tolist(), *prices))
    return found, PartialCandles(times_s, hours)


def _mapped(path: str) -> np.ndarray:
    """Return a file's words as int64; raise ValueError where its length is no multiple of 8 bytes."""
    # Not numpy.memmap, whose checks take a tenth of the time of a backtest.
    with open(path, "rb") as file:  # noqa: PTH123  # see StoredCandles.path
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    return np.frombuffer(mapped, "<i8")
