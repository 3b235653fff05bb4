"""Kraken's OHLCVT files: no header; seconds, open, high, low, close, volume, number of trades."""

from collections.abc import Iterator

from services.data.readers.delimited import (
    is_headerless,
    read_lines,
    refuse_unknown_header,
    separator_of,
)
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import TextRows

NAME = "kraken-csv"

_WIDTH = 7


def sniff(head: str) -> bool:
    """Tell whether lines without header are seven fields."""
    return is_headerless(head, _WIDTH)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows: the first six columns; raises InvalidInput where the first line is a header."""
    head = file.head()
    refuse_unknown_header(head, _WIDTH)
    return read_lines(file, 0, _WIDTH, range(6), separator_of(head))
