"""Bybit: `result.list`, the newest first, each the start in ms, open, high, low, close, volume, turnover.

https://bybit-exchange.github.io/docs/v5/market/kline. The volume is in the base coin, but of inverse
contracts, whose volume is in USD.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import member, members, parse, records_at, rows_of_lists

NAME = "bybit-json"

_WIDTH = 7


def sniff(head: str) -> bool:
    """Return whether it is an answer of Bybit's, good or bad."""
    return "retCode" in members(head) or {"result", "list"} <= members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, with Bybit's reason."""
    answer = parse(file)
    rows = rows_of_lists(records_at(answer, "result", "list"), range(len(CANDLE_FIELDS)), (_WIDTH,))
    symbol = member(answer, "result", "symbol")
    if not isinstance(symbol, str):
        symbol = None
    elif symbol.isalnum() and member(answer, "result", "category") in ("linear", "inverse"):
        symbol = f"{symbol.removesuffix('PERP')}.P"  # what has no date is a perpetual
    yield replace(rows, symbol=symbol)
