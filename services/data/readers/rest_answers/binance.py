"""Binance: a list of klines, each twelve values led by the opening time and open, high, low, close, volume.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api, "Kline/Candlestick data".
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.data.readers.json_text import parse, rows_of_lists, widths
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows
from services.data.readers.time_column import read_times

NAME = "binance-json"

_WIDTH = 12
_CLOSE_TIME = 6


def sniff(head: str) -> bool:
    """Tell whether it is a list of lists of twelve values."""
    return _WIDTH in (widths(head) or ())


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the klines, all at once; raises InvalidInput where the file is not JSON."""
    rows = rows_of_lists(parse(file), (*range(len(CANDLE_FIELDS)), _CLOSE_TIME), (_WIDTH,))
    *columns, closings = rows.columns
    yield replace(rows, columns=tuple(columns), length_s=_length_s(columns[0][:1], closings[:1]))


def _length_s(opening: Sequence[str], closing: Sequence[str]) -> int | None:
    """Return from when to when the first kline is; it closes the moment before the next one opens."""
    try:
        end = str(int(closing[0]) + 1)
    except (IndexError, ValueError):
        return None
    times, reasons = read_times([opening[0], end])
    length_s = int(times[1] - times[0])
    return length_s if length_s > 0 and not reasons else None
