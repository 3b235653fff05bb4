"""Candles in memory-mapped files, one for each column: read by every worker without a copy.

A file consists of little-endian words of 8 bytes. A column's file holds how many values there are (int64) and
then the values (float64). The file `history` holds what belongs to the candles whatever columns are read: how
many candles, breaks and partial candles there are, then the opening times, then of the breaks `before_s`,
`after_s`, `close` and `open` one after the other, then `open_time_s` and `hours` of the partial candles
(float64 where these are prices, else int64). A file appears in one step and never changes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from mmap import ACCESS_READ, mmap
from os import utime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np

from services.compute.candles.kept_histories import KeptHistories, raise_file_limit
from services.compute.candles.location import DataVersion
from services.domain.breaks import Break
from services.domain.candles import VALUE_COLUMNS, Candles
from services.domain.history import History, PartialCandles
from services.domain.interval import Interval

# The file of opening times, breaks and partial candles.
HISTORY = "history"
# Of a file that is being written: its name is a dot, something unique, and this.
UNFINISHED = ".unfinished"

_COUNTS = 3
_EMPTY = np.empty(0)
NO_PARTIAL = PartialCandles.none()


@dataclass(frozen=True)
class StoredCandles:
    """One crypto's history in files of one folder, with some of the columns besides the time."""

    folder: Path
    data: DataVersion
    interval: Interval
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The part of the files' names before the column's name."""
        return f"{series(self.data.symbol, self.interval)}{quote(self.data.fingerprint, safe='')}"

    def path(self, column: str) -> Path:
        """Return the path of a column or the HISTORY, whether or not the file exists."""
        return self.folder / f"{self.name}.{column}"

    def paths(self) -> list[str]:
        """Return the paths of all files: the HISTORY, then the columns."""
        # Not as Path, of which a run would make hundreds.
        start = f"{self.folder}/{self.name}."
        return [start + column for column in (HISTORY, *self.columns)]

    def use(self) -> bool:
        """Return whether all columns are there, and mark them as used now."""
        try:
            for path in self.paths():
                # One call that both touches the file and checks that it exists.
                utime(path)
        except OSError:
            return False
        return True

    def load(self) -> tuple[DataVersion, History]:
        """Map the files as `map` does, unless this process has kept them mapped; see CandleLocation."""
        kept_as = f"{self.folder}/{series(self.data.symbol, self.interval)}"
        history = _kept_histories().history(
            kept_as, self.data.fingerprint, self.columns, self.paths(), self.map
        )
        return self.data, history

    def map(self) -> History:
        """Map the files; columns are read-only, and those that are not among them are empty.

        Raises FileNotFoundError where a file is missing or incomplete; incomplete files are deleted.
        """
        try:
            history, *values = map(_mapped, self.paths())
            open_time_s, breaks, partial = _parsed(history)
            # A column begins with its length.
            if any(len(column) != column[0] + 1 or column[0] != len(open_time_s) for column in values):
                raise ValueError
        except ValueError:
            # A power cut can truncate a file: all files of the crypto are deleted, and fetched again.
            self.delete()
            raise FileNotFoundError(self.name) from None
        there = {name: column[1:].view("<f8") for name, column in zip(self.columns, values, strict=True)}
        candles = Candles(open_time_s, **{name: there.get(name, _EMPTY) for name in VALUE_COLUMNS})
        return History(candles, breaks, partial)

    def write(
        self, parts: Sequence[Candles], breaks: Sequence[Break] = (), partial: PartialCandles = NO_PARTIAL
    ) -> None:
        """Write parts that follow each other in time, each file in one step for all readers.

        `breaks` and `partial` are those of the whole history.

        Raises FileNotFoundError where the folder was deleted meanwhile, other OSErrors where it cannot be
        written.
        """
        # Not exist_ok=True, which fails where the folder is deleted while it looks.
        with suppress(FileExistsError):
            self.folder.mkdir(parents=True)
        count = sum(map(len, parts))
        unfinished = self.folder / f".{uuid4()}{UNFINISHED}"
        try:
            for column in (HISTORY, *self.columns):
                with unfinished.open("wb") as file:
                    if column == HISTORY:
                        counts = count, len(breaks), len(partial.open_time_s)
                        file.write(np.array(counts, "<i8").data)
                        file.writelines(part.open_time_s.data for part in parts)
                        file.write(_packed(breaks, partial))
                    else:
                        file.write(np.array([count], "<i8").data)
                        file.writelines(getattr(part, column).data for part in parts)
                unfinished.replace(self.path(column))
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def delete(self) -> None:
        """Delete the files; whoever has them mapped keeps them."""
        for column in (HISTORY, *self.columns):
            self.path(column).unlink(missing_ok=True)


@cache
def _kept_histories() -> KeptHistories:
    return KeptHistories(raise_file_limit())


def series(symbol: str, interval: Interval) -> str:
    """Return the part of the files' names of a crypto before the fingerprint."""
    return f"{quote(symbol, safe='')}-{interval.value}-"


def _packed(breaks: Sequence[Break], partial: PartialCandles) -> bytes:
    """Return the bytes of the HISTORY after the opening times."""
    times = [[each.before_s for each in breaks], [each.after_s for each in breaks]]
    prices = [[each.close for each in breaks], [each.open for each in breaks]]
    columns = [
        *(np.array(column, "<i8") for column in times),
        *(np.array(column, "<f8") for column in prices),
        partial.open_time_s.astype("<i8"),
        partial.hours.astype("<i8"),
    ]
    return b"".join(column.tobytes() for column in columns)


def _parsed(words: np.ndarray) -> tuple[np.ndarray, tuple[Break, ...], PartialCandles]:
    """Return times, breaks and partial candles of a HISTORY; raise ValueError where it is incomplete."""
    if len(words) < _COUNTS:
        raise ValueError
    candles, breaks, partial = words[:_COUNTS].tolist()
    if len(words) != _COUNTS + candles + 4 * breaks + 2 * partial:
        raise ValueError
    end = _COUNTS + candles
    if not breaks and not partial:
        return words[_COUNTS:end], (), NO_PARTIAL
    before_s, after_s, close, open_ = words[end : end + 4 * breaks].reshape(4, breaks)
    prices = close.view("<f8").tolist(), open_.view("<f8").tolist()
    times_s, hours = words[end + 4 * breaks :].reshape(2, partial)
    found = tuple(map(Break, before_s.tolist(), after_s.tolist(), *prices))
    return words[_COUNTS:end], found, PartialCandles(times_s, hours)


def _mapped(path: str) -> np.ndarray:
    """Return a file's words as int64; raise ValueError where its length is no multiple of 8 bytes."""
    # Not numpy.memmap, whose checks take a tenth of the time of a backtest.
    with open(path, "rb") as file:  # noqa: PTH123  # see paths
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    return np.frombuffer(mapped, "<i8")
