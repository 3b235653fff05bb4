"""OKX: `data`, the newest first, each the start in ms, open, high, low, close, volume, and more.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks. Of nine values the last shows
whether the candle was closed. The volume is in the base currency, but of derivatives, whose volume is in
contracts.
"""

import re
from collections.abc import Iterator

from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows
from services.ingest.formats.json_text import members, parse, records_at, rows_of_lists, without_open

NAME = "okx-json"

_WIDTHS = (7, 9)
_SUCCESS = re.compile(r'"code"\s*:\s*"0"')


def sniff(head: str) -> bool:
    """Return whether it is an answer of OKX's, good or bad."""
    names = members(head)
    return {"code", "msg", "data"} <= names or ({"code", "data"} <= names and bool(_SUCCESS.search(head)))


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, with OKX's reason."""
    records = records_at(parse(file), "data")
    rows = rows_of_lists(records, range(len(CANDLE_FIELDS)), _WIDTHS)
    taken = [records[number - 1] for number in rows.lines]
    yield without_open(rows, [len(record) == max(_WIDTHS) and record[-1] == "0" for record in taken])
