"""Binance's monthly kline files: twelve columns, with a header in some years and without in others."""

from collections.abc import Iterator

from services.data.readers.close_time import closed_by_last_column
from services.data.readers.delimited import header_names, is_headerless, read_lines
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import TextRows

NAME = "binance-csv"

_HEADER_START = ["open_time", "open", "high", "low", "close", "volume", "close_time"]
_WIDTH = 12
_CLOSE_TIME = 6


def sniff(head: str) -> bool:
    """Tell whether the header is Binance's, or lines without header are twelve fields."""
    return _has_binance_header(head) or is_headerless(head, _WIDTH)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows: the first seven columns, whatever the others tell."""
    rows = read_lines(file, int(_has_binance_header(file.head())), _WIDTH, range(1 + _CLOSE_TIME))
    return closed_by_last_column(rows)


def _has_binance_header(text: str) -> bool:
    names = header_names(text)
    return len(names) == _WIDTH and names[: len(_HEADER_START)] == _HEADER_START
