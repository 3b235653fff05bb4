"""Binance: a list of klines, each twelve values led by the opening time and open, high, low, close, volume.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api, "Kline/Candlestick data".
"""

from collections.abc import Iterator
from dataclasses import replace

from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import parse, rows_of_lists, widths

NAME = "binance-json"

_WIDTH = 12
_CLOSE_TIME = 6


def sniff(head: str) -> bool:
    """Return whether it is a list of lists of twelve values."""
    return _WIDTH in (widths(head) or ())


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the klines, all at once; raises InvalidInput if the file is not JSON."""
    rows = rows_of_lists(parse(file), (*range(len(CANDLE_FIELDS)), _CLOSE_TIME), (_WIDTH,))
    *columns, closings = rows.columns
    yield replace(rows, columns=tuple(columns), close_time=closings)
