"""Binance's monthly kline files: twelve columns, with a header in some years and without in others."""

from collections.abc import Iterator

from services.ingest.columns.names import column_key
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.delimited import (
    header_names,
    is_headerless,
    lines_above_header,
    read_lines,
    refuse_unknown_header,
    separator_of,
)
from services.ingest.identity.close_time import closed_by_last_column

NAME = "binance-csv"

_HEADER_START = ["opentime", "open", "high", "low", "close", "volume", "closetime"]
_WIDTH = 12
_CLOSE_TIME = 6


def sniff(head: str) -> bool:
    """Return whether the header is Binance's, or lines without header are twelve fields."""
    return _has_binance_header(head) or is_headerless(head, _WIDTH)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows: the first six columns and the closing time."""
    head = file.head()
    has_header = _has_binance_header(head)
    if not has_header:
        refuse_unknown_header(head, _WIDTH)
    header_lines = lines_above_header(head) + 1 if has_header else 0
    rows = read_lines(file, header_lines, _WIDTH, range(1 + _CLOSE_TIME), separator_of(head))
    return closed_by_last_column(rows)


def _has_binance_header(text: str) -> bool:
    names = list(map(column_key, header_names(text)))
    return len(names) == _WIDTH and names[: len(_HEADER_START)] == _HEADER_START
