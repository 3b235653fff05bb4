"""Kraken: `result` with a pair's list, each the start in s, open, high, low, close, vwap, volume, count.

https://docs.kraken.com/api/docs/rest-api/get-ohlc-data. Candles after `last` were not closed yet.
"""

from collections.abc import Iterator
from dataclasses import replace

from backcast_engine.errors import InvalidInput
from services.ingest.columns.time_column import read_times
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, shown
from services.ingest.formats.json_text import (
    member,
    members,
    parse,
    records_at,
    rows_of_lists,
    text,
    without_candles,
    without_open,
)

NAME = "kraken-json"

_WIDTH = 8
# The fifth number after the time is the average price.
_POSITIONS = (0, 1, 2, 3, 4, 6)


def sniff(head: str) -> bool:
    """Return whether it is an answer of Kraken's: a list of errors, and the result if there is one."""
    return {"error", "result"} <= members(head) or members(head) == {"error"}


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, or of several pairs."""
    answer = parse(file)
    result = member(answer, "result")
    lists = result if isinstance(result, dict) else {}
    pairs = [name for name, value in lists.items() if isinstance(value, list)]
    if len(pairs) > 1:
        raise InvalidInput.of(
            "file", f"its rows are of several cryptos: {shown(pairs[0])} and {shown(pairs[1])}"
        )
    if not pairs:
        raise without_candles(answer)
    rows = rows_of_lists(records_at(answer, "result", pairs[0]), _POSITIONS, (_WIDTH,))
    *times_s, last_s = read_times([*rows.columns[0], text(member(result, "last"))])[0].tolist()
    # 0 if there is no `last`.
    is_open = [0 < last_s < time_s for time_s in times_s]
    yield replace(without_open(rows, is_open), symbol=pairs[0])
