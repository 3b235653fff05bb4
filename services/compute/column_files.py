"""Candles as memory-mapped files: fetched once, read by every worker without a copy.

A file holds the six columns one after the other, each of n values of 8 bytes, little-endian: opening
time (int64, Unix seconds), open, high, low, close, volume (float64). Its name tells crypto, interval and
the data's fingerprint, so a file never changes; the folder can be deleted at any time.
"""

from mmap import ACCESS_READ, mmap
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np

from services.shared.candles import Candles
from services.shared.errors import Unavailable
from services.shared.interval import Interval

_SUFFIX = ".columns"


def read_columns(path: Path) -> Candles:
    """Map a file's columns; they are read-only. Raises FileNotFoundError where there is no such file."""
    # Not numpy.memmap: finding out what it maps takes it as long as a tenth of a backtest.
    try:
        with path.open("rb") as file:
            mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
        columns = np.frombuffer(mapped, "<i8").reshape(6, -1)
    except ValueError:
        # A power cut can leave a file short: it is as good as none, and will be fetched anew.
        path.unlink(missing_ok=True)
        raise FileNotFoundError(path) from None
    return Candles(columns[0], *columns[1:].view("<f8"))


class ColumnFiles:
    """The folder of column files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, symbol: str, interval: Interval, fingerprint: str) -> Path:
        """Return where the columns of this very data are, or would be."""
        return self._folder / f"{_stem(symbol, interval)}{quote(fingerprint, safe='')}{_SUFFIX}"

    def write(self, symbol: str, interval: Interval, fingerprint: str, candles: Candles) -> Path:
        """Write the columns, in one step for all readers, and delete what they supersede.

        Raises Unavailable where the folder cannot be written.
        """
        path = self.path(symbol, interval, fingerprint)
        unfinished = path.with_name(f".{uuid4()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                for column in candles.columns():
                    file.write(np.ascontiguousarray(column).data)
            # Whoever has an old file mapped keeps it; whoever comes too late for it fetches the new one.
            unfinished.replace(path)
            for other in self._folder.glob(f"{_stem(symbol, interval)}*{_SUFFIX}"):
                if other != path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise Unavailable(f"compute cannot keep candles in {self._folder}: {error.strerror}") from error
        return path


def _stem(symbol: str, interval: Interval) -> str:
    return f"{quote(symbol, safe='')}-{interval.value}-"
