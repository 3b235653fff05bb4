"""Rows of a file as candles: values parsed, rules not applied yet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from services.ingest.columns.number_column import clean_numbers, read_numbers
from services.ingest.columns.number_style import PLAIN, style_of
from services.ingest.columns.time_column import floor_seconds, read_times
from services.ingest.columns.written_times import DateOrder
from services.ingest.files.text_rows import CANDLE_FIELDS, TextColumn, TextRows
from services.ingest.identity.close_time import lengths_from
from services.ingest.report import Rejection


@dataclass(frozen=True, slots=True)
class CandleRows:
    """Rows of a file in its order; `lines` and `candles` have length n.

    `reasons` has, by position, why a row is no candle; the values of such a row mean nothing. `misshapen`
    rows are not among the n. `symbol` and `length_s` come from the content, None if it has none; `lengths_s`
    come from the closing times, of length n, below 1 if there is none. `still_open` counts rows that were
    left out because the file says that their candles had not closed.
    """

    lines: NDArray[np.int64]
    candles: Candles
    reasons: dict[int, str]
    misshapen: tuple[Rejection, ...] = ()
    symbol: str | None = None
    length_s: int | None = None
    lengths_s: NDArray[np.int64] | None = None
    still_open: int = 0

    def between(self, start_s: int, end_s: int) -> "CandleRows":
        """Return the rows without those that open before `start_s`, or at or after `end_s` (Unix seconds).

        Rows that are no candles stay, because their times may mean nothing.
        """
        times_s = self.candles.open_time_s
        is_kept = (times_s >= start_s) & (times_s < end_s)
        is_kept[list(self.reasons)] = True
        if is_kept.all():
            return self
        places = np.cumsum(is_kept) - 1
        return replace(
            self,
            lines=self.lines[is_kept],
            candles=self.candles.at(is_kept),
            reasons={int(places[position]): reason for position, reason in self.reasons.items()},
            lengths_s=None if self.lengths_s is None else self.lengths_s[is_kept],
        )

    def times_s(self) -> NDArray[np.int64]:
        """Return the opening times of the rows that are candles, in Unix seconds."""
        is_candle = np.ones(len(self.lines), np.bool_)
        is_candle[list(self.reasons)] = False
        return self.candles.open_time_s[is_candle]


class TextReading:
    """Parses the rows of a text file, batch by batch.

    The style of numbers and dates that earlier rows show applies to later ones.
    """

    def __init__(self) -> None:
        self._style = PLAIN
        self._dates = DateOrder()

    def candle_rows(self, rows: TextRows) -> CandleRows:
        """Parse rows of text; the reason of a row is that of its leftmost invalid field.

        Raises InvalidInput, of the field `file`, if the meaning of the values is ambiguous.
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
        """Return columns with plain numbers, and the numbers of a column if all of it is plain."""
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
