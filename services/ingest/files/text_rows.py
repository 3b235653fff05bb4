"""Rows of a file as text: the output of a text format, before values are parsed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from services.ingest.report import Rejection

# The fields of a candle in a row, in this order.
CANDLE_FIELDS = ("time", "open", "high", "low", "close", "volume")

# Arrow's columns need no object for each text.
TextColumn: TypeAlias = "list[str] | pa.StringArray"

_SHOWN_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class TextRows:
    """Rows of a file with the right shape, and the others.

    `columns` are time, open, high, low, close and volume as the file writes them, each of length n, in the
    file's order; `lines` are the n line numbers (from 1; in JSON the records' numbers). `symbol` and
    `length_s`, the candles' length in seconds, come from the content, None if it has none. `close_time` has
    the closing times as the file writes them, of length n, None without such a column. `still_open` counts
    rows that were left out because the file says that their candles had not closed.
    """

    lines: Sequence[int]
    columns: tuple[TextColumn, ...]
    misshapen: tuple[Rejection, ...] = ()
    symbol: str | None = None
    length_s: int | None = None
    close_time: "TextColumn | None" = None
    still_open: int = 0


def shown(text: str) -> str:
    """Return a text of a file for a message: quoted, without control characters, and short."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


def joined_times(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with their first two columns, date and time of day, joined."""
    for rows in blocks:
        dates, clocks, *others = rows.columns
        times = pc.binary_join_element_wise(_array(dates), _array(clocks), " ")
        yield replace(rows, columns=(times, *others))


def without_volume(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with a volume of 0 after the prices."""
    for rows in blocks:
        time, open_, high, low, close, *others = rows.columns
        zeros = pa.repeat(pa.scalar("0"), len(rows.lines))
        yield replace(rows, columns=(time, open_, high, low, close, zeros, *others))


def _array(column: TextColumn) -> pa.StringArray:
    return pa.array(column, pa.string())
