"""Freqtrade's JSON: a list of records `[ms, open, high, low, close, volume]`."""

import json
import re
from collections.abc import Iterator

from services.data.readers.report import Rejection
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows, shown
from services.shared.errors import InvalidInput

NAME = "freqtrade-json"

_WIDTH = len(CANDLE_FIELDS)
_LIST_OF_LISTS = re.compile(r"\s*\[\s*(?:\[|\]\s*$)")
_FLAT_LIST = re.compile(r"\[([^\[\]]*)\]")


def sniff(head: str) -> bool:
    """Tell whether it is a list of lists, one of them of six values (Binance's REST has twelve); or `[]`."""
    if not _LIST_OF_LISTS.match(head):
        return False
    flat_lists = [found[1] for found in _FLAT_LIST.finditer(head)]
    return not any(map(str.strip, flat_lists)) or any(
        values.count(",") == _WIDTH - 1 for values in flat_lists
    )


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the records, all at once; raises InvalidInput where the file is not JSON, naming the place."""
    try:
        # Numbers stay as they are written: they are read exactly as those of CSV files are, and a number
        # of a million digits costs nothing here.
        records = json.loads(file.whole(), parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise InvalidInput.of(
            "file", f"its JSON is broken in line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise InvalidInput.of("file", "its JSON is nested too deeply to be candles") from error
    numbers, rows, misshapen = [], [], []
    for number, record in enumerate(records, 1):
        if not isinstance(record, list):
            misshapen.append(Rejection(number, f"the record is {shown(_text(record))}, not a list"))
        elif len(record) != _WIDTH:
            misshapen.append(Rejection(number, f"the number of fields is {len(record)}, not {_WIDTH}"))
        else:
            numbers.append(number)
            rows.append(record)
    columns = tuple([_text(row[position]) for row in rows] for position in range(_WIDTH))
    yield TextRows(numbers, columns, tuple(misshapen))


def _text(value: object) -> str:
    """Return a value as the file writes it; lists and objects only by their brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return "[…]" if isinstance(value, list) else "{…}"
    return json.dumps(value)  # null, true or false
