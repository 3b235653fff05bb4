"""Lighter: `c`, candles of t (ms), o, h, l, c, v (in the base token), and `r`, how long they are.

https://apidocs.lighter.xyz/reference/candlesticks
"""

from collections.abc import Iterator
from dataclasses import replace

from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows
from services.ingest.formats.json_text import member, members, parse, records_at, rows_of_objects

NAME = "lighter-json"

_FIELDS = ("t", "o", "h", "l", "c", "v")
_LENGTHS_S = {
    "1m": 60,
    "5m": 5 * 60,
    "15m": 15 * 60,
    "30m": 30 * 60,
    "1h": 3600,
    "4h": 4 * 3600,
    "12h": 12 * 3600,
    "1d": 86_400,
    "1w": 7 * 86_400,
}


def sniff(head: str) -> bool:
    """Return whether candles have the letters that Lighter gives them."""
    return {"r", *_FIELDS} <= members(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the candles, all at once; raises InvalidInput if there are none."""
    answer = parse(file)
    length = member(answer, "r")
    rows = rows_of_objects(records_at(answer, "c"), _FIELDS)
    yield replace(rows, length_s=_LENGTHS_S.get(length) if isinstance(length, str) else None)
