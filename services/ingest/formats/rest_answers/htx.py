"""HTX (Huobi): `data`, the newest first, of id (the start in s), open, high, low, close, amount, vol, count.

https://www.htx.com/en-us/opend/newApiPages/, "Get Klines". The amount is in the base currency, `vol` in the
other. `ch` names the market: `market.btcusdt.kline.60min`, of swaps and futures with hyphens.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.json_text import member, members, parse, records_at, rows_of_objects
from services.ingest.identity.lengths import length_from

NAME = "htx-json"

_FIELDS = ("id", "open", "high", "low", "close", "amount")
_CHANNEL = re.compile(r"market\.([\w-]+)\.kline\.(\w+)")


def sniff(head: str) -> bool:
    """Return whether candles have the names that HTX gives them."""
    return {"data", "vol", *_FIELDS} <= members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none."""
    answer = parse(file)
    rows = rows_of_objects(records_at(answer, "data"), _FIELDS)
    channel = member(answer, "ch")
    if isinstance(channel, str) and (market := _CHANNEL.fullmatch(channel)):
        symbol = market[1].upper()
        # What has one hyphen is a perpetual; a second one is before a date.
        rows = replace(
            rows,
            symbol=f"{symbol}.P" if symbol.count("-") == 1 else symbol,
            length_s=length_from(market[2]),
        )
    yield rows
