"""Rows of a file as candles: their values read, their rules not yet applied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from services.domain.candles import Candles, PriceColumn
from services.ingest.columns.names import GivenNames
from services.ingest.columns.number_column import clean_numbers, read_numbers
from services.ingest.columns.number_style import PLAIN, style_of
from services.ingest.columns.time_column import floor_seconds, read_times
from services.ingest.columns.written_times import DateOrder
from services.ingest.files.text_rows import CANDLE_FIELDS, TextColumn, TextRows
from services.ingest.identity.close_time import lengths_from
from services.ingest.report import Rejection


@dataclass(frozen=True, slots=True)
class CandleRows:
    """Rows of a file in its order: `lines` and `candles` are n long.

    `reasons` tell, by position, why a row is no candle; its values mean nothing. `misshapen` are rows that
    are none of the n. `symbol` and `length_s` are what the content tells, None if it does not;
    `lengths_s` are what the times of closing tell, n long, below 1 where there is none. `still_open` counts
    the rows that were left out because the file says that their candles had not closed.
    """

    lines: NDArray[np.int64]
    candles: Candles
    reasons: dict[int, str]
    misshapen: tuple[Rejection, ...] = ()
    symbol: str | None = None
    length_s: int | None = None
    lengths_s: NDArray[np.int64] | None = None
    still_open: int = 0


class TableFormat(Protocol):
    """A format of files that hold typed columns: what the modules offer that `detect` lists."""

    NAME: str

    def sniff(self, magic: bytes) -> bool:
        """Return whether a file that begins with these bytes is of this format."""

    def read(self, content: IO[bytes], given: GivenNames) -> Iterator[CandleRows]:
        """Yield the rows, some at once; raises InvalidInput if the file is not what it seems."""


class TextReading:
    """The values of one file's rows of text, some rows at once.

    What earlier rows tell of the file's way of writing numbers and dates holds for the later ones.
    """

    def __init__(self) -> None:
        self._style = PLAIN
        self._dates = DateOrder()

    def candle_rows(self, rows: TextRows) -> CandleRows:
        """Return rows of text with their values read; a row's reason is that of its leftmost wrong field.

        Raises InvalidInput, of the field `file`, if the rows leave open what their values mean.
        """
        times, reasons = read_times(rows.columns[0], self._dates, rows.lines)
        columns: list[PriceColumn] = []
        for name, column, clean in zip(CANDLE_FIELDS[1:], *self._numbers(rows.columns[1:]), strict=True):
            numbers, number_reasons = (clean, {}) if clean is not None else read_numbers(name, column)
            columns.append(numbers)
            reasons = number_reasons | reasons
        lengths_s = None
        if rows.close_time is not None:
            lengths_s = lengths_from(times, floor_seconds(rows.close_time, self._dates))
        return CandleRows(
            lines=_numbered(rows.lines),
            candles=Candles(times, *columns),
            reasons=reasons,
            misshapen=rows.misshapen,
            symbol=rows.symbol,
            length_s=rows.length_s,
            lengths_s=lengths_s,
            still_open=rows.still_open,
        )

    def _numbers(
        self, columns: Sequence[TextColumn]
    ) -> tuple[Sequence[TextColumn], Sequence[PriceColumn | None]]:
        """Return columns as programs write numbers, and their numbers where all of a column is such."""
        if self._style == PLAIN:
            numbers = [clean_numbers(column) for column in columns]
            if all(column is not None for column in numbers):
                return columns, numbers
            self._style = style_of(columns)
            if self._style == PLAIN:
                return columns, numbers
        plain = [self._style.plain(column) for column in columns]
        return plain, [clean_numbers(column) for column in plain]


def _numbered(lines: Sequence[int]) -> NDArray[np.int64]:
    if isinstance(lines, range):
        return np.arange(lines.start, lines.stop)
    return np.fromiter(lines, np.int64, len(lines))
