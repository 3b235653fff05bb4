"""dYdX: `candles`, the newest first, in an envelope or without: startedAt (ISO), open, …, baseTokenVolume.

https://docs.dydx.xyz/indexer-client/http#get-candles. All of its markets are perpetuals.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from services.ingest.columns.symbol_column import only_symbol
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.json_text import member, members, parse, records_at, rows_of_objects

NAME = "dydx-json"

_FIELDS = ("startedAt", "open", "high", "low", "close", "baseTokenVolume", "ticker", "resolution")
_LENGTHS_S = {
    "1MIN": 60,
    "5MINS": 5 * 60,
    "15MINS": 15 * 60,
    "30MINS": 30 * 60,
    "1HOUR": 3600,
    "4HOURS": 4 * 3600,
    "1DAY": 86_400,
}


def sniff(head: str) -> bool:
    """Return whether candles have the names that dYdX gives them."""
    return {"candles", "startedAt"} <= members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, or of several cryptos."""
    answer = parse(file)
    path = ("result", "candles") if member(answer, "result") else ("candles",)
    rows = rows_of_objects(records_at(answer, *path), _FIELDS)
    *columns, tickers, resolutions = rows.columns
    symbol = only_symbol([pa.array(tickers, pa.string())])
    yield replace(
        rows,
        columns=tuple(columns),
        symbol=symbol and f"{symbol}.P",
        length_s=next(map(_LENGTHS_S.get, resolutions), None),
    )
