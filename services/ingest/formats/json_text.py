"""JSON, parsed once, with records converted to rows of text.

Numbers stay text, so that they are parsed exactly like those of CSV files, and a number of a million digits
costs nothing here.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextColumn, TextRows, shown
from services.ingest.report import Rejection

# An object, a list, or the text of a string or number; null, true and false are None, True and False.
Json = Any

_MEMBER = re.compile(r'"([^"\\]+)"\s*:')
_LIST_OF_LISTS = re.compile(r"\s*\[\s*(?:\[|\]\s*$)")
_FLAT_LIST = re.compile(r"\[([^\[\]]*)\]")
# Names that exchanges use for the reason of an error.
_REASONS = ("retMsg", "msg", "message", "error", "errors")


def members(head: str) -> set[str]:
    """Return the names in the object that a text begins with, at any depth; empty if it is no object."""
    return set(_MEMBER.findall(head)) if head.lstrip().startswith("{") else set()


def widths(head: str) -> set[int] | None:
    """Return the lengths of the lists in the list that a text begins with; None if it is not such a list."""
    if not _LIST_OF_LISTS.match(head):
        return None
    return {
        values.count(",") + 1 if values.strip() else 0 for values in map(_values, _FLAT_LIST.finditer(head))
    }


def is_lines(head: str) -> bool:
    """Return whether the first two lines begin an object or a list, and the first one is complete."""
    first, *others = [line for line in head.split("\n") if line and not line.isspace()][:2] or [""]
    if not others or not others[0].lstrip().startswith(first.strip()[:1]):
        return False
    try:
        return isinstance(json.loads(first), dict | list)
    except (json.JSONDecodeError, RecursionError):
        return False


def parse(file: TextFile) -> Json:
    """Parse a file, with numbers as text; raises InvalidInput, with the place, if it is not JSON."""
    try:
        return json.loads(file.whole(), parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise InvalidInput.of(
            "file", f"its JSON is broken in line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise InvalidInput.of("file", "its JSON is nested too deeply to be candles") from error


def member(answer: Json, *path: str) -> Json:
    """Return the value at a path of names; None if there is none."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def records_at(answer: Json, *path: str) -> list[Json]:
    """Return the list at a path of names; raises InvalidInput if the answer has none."""
    records = member(answer, *path)
    if not isinstance(records, list) or (not records and _reason(answer)):
        raise without_candles(answer)
    return records


def without_candles(answer: Json) -> InvalidInput:
    """Return the error for an answer without candles, with the exchange's reason."""
    reason = _reason(answer)
    return InvalidInput.of("file", f"it is an answer without candles{f': {shown(reason)}' if reason else ''}")


def rows_of_lists(records: Sequence[Json], positions: Sequence[int], allowed: Sequence[int]) -> TextRows:
    """Return rows of lists with allowed lengths; the fields of candles are at `positions`."""
    numbers, rows, misshapen = [], [], []
    for number, record in enumerate(records, 1):
        if not isinstance(record, list):
            misshapen.append(Rejection(number, f"the record is {shown(text(record))}, not a list"))
        elif len(record) not in allowed:
            expected = " or ".join(map(str, allowed))
            misshapen.append(Rejection(number, f"the number of fields is {len(record)}, not {expected}"))
        else:
            numbers.append(number)
            rows.append(record)
    columns = tuple(texts([row[position] for row in rows]) for position in positions)
    return TextRows(numbers, columns, tuple(misshapen))


def rows_of_objects(records: Sequence[Json], names: Sequence[str]) -> TextRows:
    """Return rows of objects whose members `names` are the fields of candles."""
    numbers, rows, misshapen = [], [], []
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            misshapen.append(Rejection(number, f"the record is {shown(text(record))}, not an object"))
        elif missing := [name for name in names if name not in record]:
            misshapen.append(Rejection(number, f"the record has no {', '.join(missing)}"))
        else:
            numbers.append(number)
            rows.append(record)
    columns = tuple(texts([row[name] for row in rows]) for name in names)
    return TextRows(numbers, columns, tuple(misshapen))


def without_open(rows: TextRows, is_open: Sequence[bool]) -> TextRows:
    """Remove the rows of candles that were still open when the exchange was asked, and count them."""
    kept = [position for position, left_out in enumerate(is_open) if not left_out]
    return replace(
        rows,
        lines=[rows.lines[position] for position in kept],
        columns=tuple([column[position] for position in kept] for column in rows.columns),
        still_open=len(is_open) - len(kept),
    )


def texts(values: Sequence[Json]) -> TextColumn:
    """Return values as the file writes them."""
    return [text(value) for value in values]


def text(value: Json) -> str:
    """Return a value as the file writes it; lists and objects only by their brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return "[…]" if isinstance(value, list) else "{…}"
    return json.dumps(value)  # null, true or false


def _values(flat_list: re.Match[str]) -> str:
    return flat_list[1]


def _reason(answer: Json) -> str:
    for name in _REASONS:
        if reason := member(answer, name):
            return reason if isinstance(reason, str) else json.dumps(reason)
    return ""
