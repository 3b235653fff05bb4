"""Kraken Futures: `candles` of time (ms), open, high, low, close, volume.

https://docs.kraken.com/api/docs/futures-api/charts/candles
"""

from collections.abc import Iterator

from services.ingest.columns.symbol_column import SYMBOL_NAMES
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import members, parse, records_at, rows_of_objects

NAME = "kraken-futures-json"


def sniff(head: str) -> bool:
    """Return whether it is an object with `candles` that have a `time`, and without a symbol."""
    names = members(head)
    return {"candles", "time"} <= names and names.isdisjoint(SYMBOL_NAMES)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none."""
    yield rows_of_objects(records_at(parse(file), "candles"), CANDLE_FIELDS)
