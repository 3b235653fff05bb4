"""Deribit: `result` with one list for each field: ticks (ms), open, high, low, close, volume, cost.

https://docs.deribit.com/#public-get_tradingview_chart_data. The volume is in the base currency, the cost in
the quote currency.
"""

from collections.abc import Iterator

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import members, parse, records_at, texts

NAME = "deribit-json"


def sniff(head: str) -> bool:
    """Return whether it is an answer of Deribit's, good or bad."""
    return "jsonrpc" in members(head) or {"result", "ticks"} <= members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, or lists of other lengths."""
    answer = parse(file)
    columns = [records_at(answer, "result", name) for name in ("ticks", *CANDLE_FIELDS[1:])]
    counts = {len(column) for column in columns}
    if len(counts) > 1:
        raise InvalidInput.of("file", f"its lists are {min(counts)} to {max(counts)} values long")
    yield TextRows(range(1, 1 + len(columns[0])), tuple(map(texts, columns)))
