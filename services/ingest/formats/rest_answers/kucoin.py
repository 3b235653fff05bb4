"""KuCoin: `data`, the newest first, each the start in s, open, close, high, low, volume, turnover.

https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-klines. The volume is in the base currency,
but of futures, whose times are in ms and whose volume is in contracts.
"""

import re
from collections.abc import Iterator

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.json_text import members, parse, records_at, rows_of_lists

NAME = "kucoin-json"

_WIDTH = 7
_POSITIONS = (0, 1, 3, 4, 2, 5)
_SUCCESS = re.compile(r'"code"\s*:\s*"200000"')
_SECONDS_DIGITS = 10


def sniff(head: str) -> bool:
    """Return whether it is a good answer of KuCoin's, whose code is its own."""
    return {"code", "data"} <= members(head) and _SUCCESS.search(head) is not None


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none, or they are of futures."""
    rows = rows_of_lists(records_at(parse(file), "data"), _POSITIONS, (_WIDTH,))
    if any(len(time) > _SECONDS_DIGITS for time in rows.columns[0]):
        raise InvalidInput.of(
            "file", "its times are in ms, as those of KuCoin's futures, whose volume is counted in contracts"
        )
    yield rows
