"""Coinbase's Advanced Trade: `candles` of start (Unix seconds), low, high, open, close, volume.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/products/get-product-candles
"""

from collections.abc import Iterator

from services.data.readers.json_text import members, parse, records_at, rows_of_objects
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows

NAME = "coinbase-json"


def sniff(head: str) -> bool:
    """Tell whether it is an object with `candles`; those of other exchanges are told by more than that."""
    return "candles" in members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput where there are none."""
    yield rows_of_objects(records_at(parse(file), "candles"), ("start", *CANDLE_FIELDS[1:]))
