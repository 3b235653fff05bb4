"""Freqtrade's JSON: a list of records `[ms, open, high, low, close, volume]`.

Exchanges answer with such lists too, in other orders, which are detected by the values.
"""

from collections.abc import Iterator

from services.ingest.columns.column_order import ordered
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import parse, rows_of_lists, widths

NAME = "freqtrade-json"

_WIDTH = len(CANDLE_FIELDS)


def sniff(head: str) -> bool:
    """Return whether it is a list of lists of six values, or has no complete list with values."""
    found = widths(head)
    return found is not None and (_WIDTH in found or found <= {0})


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield all records in one batch; raises InvalidInput if the file is not JSON."""
    return ordered(iter((rows_of_lists(parse(file), range(_WIDTH), (_WIDTH,)),)))
