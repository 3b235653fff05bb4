"""Kraken's OHLCVT files: no header; seconds, open, high, low, close, volume, number of trades.

Others write seven columns too, with an average price or the turnover among them: the values tell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from services.data.readers.column_order import TELLING_ROWS, ordered
from services.data.readers.delimited import (
    is_headerless,
    read_lines,
    refuse_unknown_header,
    separator_of,
)
from services.data.readers.number_style import numbers_of
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import TextRows
from services.shared.errors import InvalidInput

NAME = "kraken-csv"

_WIDTH = 7


def sniff(head: str) -> bool:
    """Tell whether lines without header are seven fields."""
    return is_headerless(head, _WIDTH)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows: the first six columns, in the order that their values tell.

    Raises InvalidInput where the first line is a header, or the last column is no number of trades.
    """
    head = file.head()
    refuse_unknown_header(head, _WIDTH)
    rows = read_lines(file, 0, _WIDTH, range(_WIDTH), separator_of(head))
    return _without_trades(ordered(rows))


def _without_trades(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    is_checked = False
    for rows in blocks:
        if not is_checked and rows.lines:
            _refuse_other_columns(rows)
            is_checked = True
        yield replace(rows, columns=rows.columns[:-1])


def _refuse_other_columns(rows: TextRows) -> None:
    """Raise InvalidInput where the last column is no number of trades."""
    values = numbers_of([column[:TELLING_ROWS] for column in rows.columns[1:]])
    _, high, low, _, volume, trades = values[:, np.isfinite(values).all(axis=0)]
    if (trades != np.floor(trades)).any():
        raise _not_krakens("the last is not whole, and so is no number of trades")
    is_traded = (volume > 0) & (trades > 0)
    high, low, volume, trades = (column[is_traded] for column in (high, low, volume, trades))
    for price in (trades / volume, volume / trades):
        # What costs as much as the candle's prices is the turnover.
        if len(price) and np.mean((price >= low) & (price <= high)) >= 0.5:
            raise _not_krakens("two are the volume, in the crypto and in the currency")


def _not_krakens(reason: str) -> InvalidInput:
    return InvalidInput.of("file", f"its seven columns have no names, and are not Kraken's: {reason}")
