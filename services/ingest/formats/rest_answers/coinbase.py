"""Coinbase's Advanced Trade: `candles` of start (Unix seconds), low, high, open, close, volume.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/products/get-product-candles
"""

from collections.abc import Iterator

from services.ingest.columns.names import known_names
from services.ingest.columns.symbol_column import SYMBOL_NAMES
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import members, parse, records_at, rows_of_objects

NAME = "coinbase-json"


def sniff(head: str) -> bool:
    """Return whether it is an object with `candles` that have a `start`, or that have no usual names."""
    names = members(head)
    if not names.isdisjoint(SYMBOL_NAMES):
        return False  # Coinbase's answers have no symbol
    return "candles" in names and ("start" in names or known_names(list(names)) == 0)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none."""
    yield rows_of_objects(records_at(parse(file), "candles"), ("start", *CANDLE_FIELDS[1:]))
