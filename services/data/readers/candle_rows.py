"""Rows of a file as candles: their values read, their rules not yet applied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from services.data.readers.close_time import lengths_from
from services.data.readers.number_column import read_numbers
from services.data.readers.report import Rejection
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows
from services.data.readers.time_column import floor_seconds, read_times
from services.shared.candles import Candles


@dataclass(frozen=True, slots=True)
class CandleRows:
    """Rows of a file in its order: `lines` and `candles` are n long.

    `reasons` tell, by position, why a row is no candle; its values mean nothing. `misshapen` are rows that
    are none of the n. `symbol` and `length_s` are what the content tells, None where it does not;
    `lengths_s` are what the times of closing tell, n long, below 1 where there is none.
    """

    lines: NDArray[np.int64]
    candles: Candles
    reasons: dict[int, str]
    misshapen: tuple[Rejection, ...] = ()
    symbol: str | None = None
    length_s: int | None = None
    lengths_s: NDArray[np.int64] | None = None


class TableFormat(Protocol):
    """A format of files that hold typed columns: what the modules offer that `detect` lists."""

    NAME: str

    def sniff(self, magic: bytes) -> bool:
        """Tell whether a file that begins with these bytes is of this format."""

    def read(self, content: IO[bytes]) -> Iterator[CandleRows]:
        """Yield the rows, some at once; raises InvalidInput where the file is not what it seems."""


def from_text(rows: TextRows) -> CandleRows:
    """Return rows of text with their values read; a row's reason is that of its leftmost wrong field."""
    times, reasons = read_times(rows.columns[0])
    columns = []
    for name, texts in zip(CANDLE_FIELDS[1:], rows.columns[1:], strict=True):
        numbers, number_reasons = read_numbers(name, texts)
        columns.append(numbers)
        reasons = number_reasons | reasons
    lines = np.fromiter(rows.lines, np.int64, len(rows.lines))
    lengths_s = None if rows.close_time is None else lengths_from(times, floor_seconds(rows.close_time))
    candles = Candles(times, *columns)
    return CandleRows(lines, candles, reasons, rows.misshapen, rows.symbol, rows.length_s, lengths_s)
