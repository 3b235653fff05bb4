"""The crypto that a file's rows tell, in a column of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from services.data.readers.file_symbol import symbol_of_content
from services.data.readers.text_rows import TextRows

SYMBOL_NAMES = ("symbol", "pair", "ticker")


def told_by_last_column(blocks: Iterable[TextRows]) -> Iterator[TextRows]:
    """Yield the rows with what their last column tells as their symbol, and without it.

    Raises InvalidInput where rows are of several cryptos.
    """
    for rows in blocks:
        *columns, symbols = rows.columns
        yield replace(rows, columns=tuple(columns), symbol=only_symbol(pa.array(symbols, pa.string())))


def only_symbol(symbols: pa.StringArray) -> str | None:
    """Return the one symbol of a column, as it is written there; the column may be empty in some rows.

    Raises InvalidInput where rows are of several cryptos.
    """
    found = [symbol for symbol in pc.unique(symbols).to_pylist() if symbol and symbol.strip()]
    if len(found) > 1:
        symbol_of_content(found)
    return found[0] if found else None
