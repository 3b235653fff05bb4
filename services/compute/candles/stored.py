"""Candles in memory-mapped files, one for each column: read by every worker without a copy.

A file holds how many values it has (int64) and then the values, 8 bytes each, all little-endian: int64
Unix seconds in `open_time_s`, float64 in the others. It appears in one step and never changes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from os import utime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np

from services.compute.candles.place import CryptoData
from services.shared.candles import VALUE_COLUMNS, Candles
from services.shared.interval import Interval

TIME_COLUMN = "open_time_s"
# Of a file that is being written: its name is a dot, something unique, and this.
UNFINISHED = ".unfinished"

_COUNT_BYTES = 8
_EMPTY = np.empty(0)


@dataclass(frozen=True)
class StoredCandles:
    """One crypto's candles in files of one folder: the time, and some of the other columns."""

    folder: Path
    data: CryptoData
    interval: Interval
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the files' names have before the column's."""
        return f"{series(self.data.symbol, self.interval)}{quote(self.data.fingerprint, safe='')}"

    def path(self, column: str) -> Path:
        """Return where a column is, or would be."""
        return self.folder / f"{self.name}.{column}"

    def paths(self) -> list[Path]:
        """Return where all of them are: the time, then the other columns."""
        name = self.name
        return [self.folder / f"{name}.{column}" for column in (TIME_COLUMN, *self.columns)]

    def use(self) -> bool:
        """Return whether all columns are there, and mark them as used now."""
        try:
            for path in self.paths():
                # In one step: what there is of it is touched, and what is not there says so.
                utime(path)
        except OSError:
            return False
        return True

    def load(self) -> tuple[CryptoData, Candles]:
        """Map the columns as `map` does; see CandlePlace."""
        return self.data, self.map()

    def map(self) -> Candles:
        """Map the columns; they are read-only, and the columns that are not among them are empty.

        Raises FileNotFoundError where one is not there or is not whole; then it is as good as none.
        """
        try:
            open_time_s, *values = map(_mapped, self.paths())
            if any(len(column) != len(open_time_s) for column in values):
                raise ValueError
        except ValueError:
            # A power cut can leave a file short: all of them are given up, and will be fetched anew.
            self.delete()
            raise FileNotFoundError(self.name) from None
        there = {name: column.view("<f8") for name, column in zip(self.columns, values, strict=True)}
        return Candles(open_time_s, **{name: there.get(name, _EMPTY) for name in VALUE_COLUMNS})

    def write(self, parts: Sequence[Candles]) -> None:
        """Write parts that follow each other in time, each file in one step for all readers.

        Raises FileNotFoundError where the folder was deleted meanwhile, other OSErrors where it cannot be
        written.
        """
        # Not exist_ok=True, which fails where the folder is deleted while it looks.
        with suppress(FileExistsError):
            self.folder.mkdir(parents=True)
        count = sum(map(len, parts)).to_bytes(_COUNT_BYTES, "little")
        unfinished = self.folder / f".{uuid4()}{UNFINISHED}"
        try:
            for column in (TIME_COLUMN, *self.columns):
                with unfinished.open("wb") as file:
                    file.write(count)
                    for part in parts:
                        file.write(getattr(part, column).data)
                unfinished.replace(self.path(column))
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def delete(self) -> None:
        """Delete the files; whoever has them mapped keeps them."""
        for path in self.paths():
            path.unlink(missing_ok=True)


def series(symbol: str, interval: Interval) -> str:
    """Return what the names of a crypto's files have before the fingerprint."""
    return f"{quote(symbol, safe='')}-{interval.value}-"


def _mapped(path: Path) -> np.ndarray:
    """Return a file's values as int64; raise ValueError where it is not as long as it says."""
    # Not numpy.memmap: finding out what it maps takes it as long as a tenth of a backtest.
    with path.open("rb") as file:
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    values = np.frombuffer(mapped, "<i8")
    if values[0] != len(values) - 1:
        raise ValueError
    return values[1:]
