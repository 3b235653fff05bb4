"""Candles in memory-mapped files, one for each history: read by every worker without a copy.

`file_header` describes the layout. Another file may take the place of a file, with more columns or earlier
candles, and a file may become that of a newer version, with later candles.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import ENOSPC
from functools import cache, lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from backcast_engine.breaks import Break
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.history import History, PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.fetched import FetchedHistory
from services.compute.candles.file_header import HEADER_WORDS, FileHeader, this_boot, version_number
from services.compute.candles.kept_histories import KeptHistories, MappedHistory, raise_file_limit
from services.compute.candles.location import DataVersion

# What a file's name ends with.
SUFFIX = ".series"
# Of a file that is being written: its name is a dot, something unique, and this.
UNFINISHED = ".unfinished"

# A file has room for a sixteenth more candles, and some: three weeks of hours beside a year.
_SPARE_PART, _SPARE_CANDLES = 16, 24
_EMPTY = np.empty(0)
NO_PARTIAL = PartialCandles.none()


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
        return f"{series(self.data.symbol, self.interval)}{_quoted(self.data.fingerprint)}{SUFFIX}"

    @property
    def path(self) -> str:
        """The file's path, whether or not it exists."""
        # Not a Path, of which a run would make hundreds.
        return f"{self.folder}/{self.name}"

    def header(self) -> FileHeader | None:
        """Return the file's header, None where there is no such file."""
        try:
            file = os.open(self.path, os.O_RDONLY)
        except OSError:
            return None
        try:
            header = FileHeader.read(file)
        except (OSError, ValueError):
            return None
        finally:
            os.close(file)
        return header if header.is_of(self.data.fingerprint) else None

    def use(self) -> bool:
        """Return whether the file is there and holds all of it, and mark the file as used now."""
        header = self.header()
        with suppress(OSError):
            if header and header.has(self.columns, self.since_s):
                os.utime(self.path)
                return True
        return False

    def load(self) -> tuple[DataVersion, History]:
        """Map the file as `map` does, unless this process has kept it mapped; see CandleLocation."""
        kept_as = f"{self.folder}/{series(self.data.symbol, self.interval)}"
        history = _kept_histories().history(kept_as, self.path, self.mapped)
        self._check(history)
        return self.data, history

    def map(self) -> History:
        """Map the file: all candles and columns that it holds. Columns are read-only, absent ones are empty.

        Raises FileNotFoundError where the file is missing or incomplete (then it is deleted), or where it
        holds less than what is asked for.
        """
        history = self.mapped().history
        self._check(history)
        return history

    def _check(self, history: History) -> None:
        count = len(history.candles)
        if history.since_s > self.since_s or any(
            len(getattr(history.candles, name)) < count for name in self.columns
        ):
            raise FileNotFoundError(self.name)

    def mapped(self, words: NDArray[np.int64] | None = None) -> MappedHistory:
        """Return the history of the file; `words` are those of the file where it is mapped already."""
        try:
            words = _mapped(self.path) if words is None else words
            header = FileHeader.of(words[:HEADER_WORDS].tobytes())
            if len(words) != header.word_count:
                raise ValueError
        except ValueError:
            # A power cut can truncate a file: it is fetched again.
            self.delete()
            raise FileNotFoundError(self.name) from None
        # The version is read again after the number of candles, which changes after it where a newer version
        # takes the file over: then there is no file of this version any more.
        if not header.is_of(self.data.fingerprint) or words[0] != header.version:
            raise FileNotFoundError(self.name)
        end = header.first_word(1 + len(header.columns))
        columns = words[HEADER_WORDS:end].reshape(1 + len(header.columns), header.room)
        open_time_s, *values = columns[:, : header.candle_count]
        there = {name: column.view("<f8") for name, column in zip(header.columns, values, strict=True)}
        candles = Candles(open_time_s, **{name: there.get(name, _EMPTY) for name in VALUE_COLUMNS})
        breaks, partial = _breaks_and_partial(words[end:], header)
        return MappedHistory(words, History(candles, breaks, partial, header.since_s))

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
        count = sum(map(len, parts))
        header = FileHeader(
            version_number(self.data.fingerprint),
            count,
            count + count // _SPARE_PART + _SPARE_CANDLES,
            self.since_s,
            self.columns,
            len(breaks),
            len(partial.open_time_s),
        )
        unfinished = self._unfinished()
        try:
            with open(unfinished, "wb") as file:  # noqa: PTH123  # see `path`
                file.write(header.packed())
                for place, column in enumerate(("open_time_s", *self.columns)):
                    file.seek(8 * header.first_word(place))
                    file.writelines(getattr(part, column).data for part in parts)
                file.truncate(8 * header.first_word(1 + len(self.columns)))
                file.seek(0, os.SEEK_END)
                file.write(_packed(breaks, partial))
            os.replace(unfinished, self.path)  # noqa: PTH105  # see `path`
        except OSError:
            with suppress(OSError):
                os.unlink(unfinished)  # noqa: PTH108  # see `path`
            raise

    def grow(self, data: DataVersion, fetched: FetchedHistory) -> bool:
        """Make this file that of a newer version, whose fetched candles follow those of the file.

        Returns False, and leaves the file as it is, where some of its candles have changed, or where it has
        no room for the fetched ones, other columns, another `since_s`, other breaks or other partial candles.
        Whoever has the file mapped keeps the candles of the older version. Raises FileNotFoundError where the
        file is gone, as another process makes another version of it, and other OSErrors as `write` does.
        """
        file = os.open(self.path, os.O_RDWR)
        try:
            header = FileHeader.read(file)
            added = sum(map(len, fetched.blocks))
            if not (
                this_boot()
                and header.is_of(self.data.fingerprint)
                and (header.columns, header.since_s) == (self.columns, self.since_s)
                and header.candle_count + added <= header.room
                and _last_open_time_s(file, header) < (fetched.unchanged_before_s or EARLIEST_S)
                and _has_annotations(file, header, _packed(fetched.breaks, fetched.partial))
            ):
                return False
            # From here on, nobody else finds the file.
            unfinished = self._unfinished()
            os.rename(self.path, unfinished)  # noqa: PTH104  # see `path`
            try:
                # The version before the number of candles, for whoever has opened the file and reads both.
                os.pwrite(file, header.grown(data.fingerprint, 0, fetched.since_s).packed(), 0)
                for place, column in enumerate(("open_time_s", *self.columns)):
                    first = header.first_word(place) + header.candle_count
                    later = [getattr(block, column).data for block in fetched.blocks]
                    if os.pwritev(file, later, 8 * first) < 8 * added:
                        raise OSError(ENOSPC, os.strerror(ENOSPC))
                os.pwrite(file, header.grown(data.fingerprint, added, fetched.since_s).packed(), 0)
                os.rename(unfinished, replace(self, data=data).path)  # noqa: PTH104  # see `path`
            except OSError:
                with suppress(OSError):
                    os.unlink(unfinished)  # noqa: PTH108  # see `path`
                raise
        finally:
            os.close(file)
        return True

    def _unfinished(self) -> str:
        return f"{self.folder}/.{uuid4()}{UNFINISHED}"

    def delete(self) -> None:
        """Delete the file; whoever has it mapped keeps it."""
        Path(self.path).unlink(missing_ok=True)


@cache
def _kept_histories() -> KeptHistories:
    return KeptHistories(raise_file_limit())


def series(symbol: str, interval: Interval) -> str:
    """Return the part of the files' names of a crypto before the fingerprint."""
    return f"{_quoted(symbol)}-{interval.value}-"


# A run needs each name several times.
@lru_cache(maxsize=65_536)
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _packed(breaks: Sequence[Break], partial: PartialCandles) -> bytes:
    """Return the bytes of a file after the columns."""
    if not breaks and not len(partial.open_time_s):
        return b""
    times = [[each.before_s for each in breaks], [each.after_s for each in breaks]]
    prices = [[each.close for each in breaks], [each.open for each in breaks]]
    columns = [
        *(np.array(column, "<i8") for column in times),
        *(np.array(column, "<f8") for column in prices),
        partial.open_time_s.astype("<i8"),
        partial.hours.astype("<i8"),
    ]
    return b"".join(column.tobytes() for column in columns)


def _last_open_time_s(file: int, header: FileHeader) -> int:
    """Return when the last candle of an open file opens; EARLIEST_S where it has none."""
    if not header.candle_count:
        return EARLIEST_S
    word = os.pread(file, 8, 8 * (header.first_word(0) + header.candle_count - 1))
    return int.from_bytes(word, "little", signed=True)


def _has_annotations(file: int, header: FileHeader, annotations: bytes) -> bool:
    """Return whether an open file ends with these breaks and partial candles."""
    end = 8 * header.first_word(1 + len(header.columns))
    return os.pread(file, len(annotations) + 1, end) == annotations


def _breaks_and_partial(
    words: NDArray[np.int64], header: FileHeader
) -> tuple[tuple[Break, ...], PartialCandles]:
    """Return breaks and partial candles from the words of a file after the columns."""
    if not len(words):
        return (), NO_PARTIAL
    of_breaks = 4 * header.break_count
    before_s, after_s, close, open_ = words[:of_breaks].reshape(4, header.break_count)
    prices = close.view("<f8").tolist(), open_.view("<f8").tolist()
    times_s, hours = words[of_breaks:].reshape(2, header.partial_count)
    found = tuple(map(Break, before_s.tolist(), after_s.tolist(), *prices))
    return found, PartialCandles(times_s, hours)


def _mapped(path: str) -> NDArray[np.int64]:
    """Return a file's words as int64; raise ValueError where its length is no multiple of 8 bytes."""
    # Not numpy.memmap, whose checks take a tenth of the time of a backtest.
    with open(path, "rb") as file:  # noqa: PTH123  # see StoredCandles.path
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    return np.frombuffer(mapped, "<i8")
