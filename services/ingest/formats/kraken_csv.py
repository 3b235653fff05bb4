"""Kraken's OHLCVT files: no header; seconds, open, high, low, close, volume, number of trades.

Other sources write seven columns too, with an average price or the turnover; the values decide.
"""

from collections.abc import Iterator

import numpy as np

from backcast_engine.errors import InvalidInput
from services.ingest.columns.column_order import ordered
from services.ingest.columns.number_style import numbers_of
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.delimited import (
    MAX_LINE_CHARACTERS,
    is_headerless,
    read_lines,
    refuse_unknown_header,
    separator_of,
    split_line,
)

NAME = "kraken-csv"

_WIDTH = 7


def sniff(head: str) -> bool:
    """Return whether lines without header are seven fields."""
    return is_headerless(head, _WIDTH)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows: the first six columns, in the order that is detected by their values.

    Raises InvalidInput if the first line is a header, or the last column is not a number of trades.
    """
    head = file.head()
    refuse_unknown_header(head, _WIDTH)
    separator = separator_of(head)
    _refuse_other_columns(head, separator)
    return ordered(read_lines(file, 0, _WIDTH, range(len(CANDLE_FIELDS)), separator))


def _refuse_other_columns(head: str, separator: str) -> None:
    """Raise InvalidInput if the last column is not a number of trades, by the rows at the top."""
    lines = [split_line(line, separator) for line in head.split("\n") if len(line) <= MAX_LINE_CHARACTERS]
    rows = [fields for fields in lines if len(fields) == _WIDTH]
    values = numbers_of([[fields[position] for fields in rows] for position in range(1, _WIDTH)])
    values = values[:, np.isfinite(values).all(axis=0)]
    low, high = values[:4].min(axis=0), values[:4].max(axis=0)
    volume, trades = values[4:]
    if (trades != np.floor(trades)).any():
        raise _not_krakens("the last is not whole, and so is no number of trades")
    is_traded = (volume > 0) & (trades > 0)
    high, low, volume, trades = (column[is_traded] for column in (high, low, volume, trades))
    for price in (trades / volume, volume / trades):
        # A column whose quotient by the volume is near the prices is the turnover.
        if len(price) and np.mean((price >= low) & (price <= high)) >= 0.5:
            raise _not_krakens("two are the volume, in the crypto and in the currency")


def _not_krakens(reason: str) -> InvalidInput:
    return InvalidInput.of("file", f"its seven columns have no names, and are not Kraken's: {reason}")
