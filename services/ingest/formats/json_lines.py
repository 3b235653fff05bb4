"""JSON lines: in each line an object that names its values, or a list of time, prices and volume."""

import json
from collections.abc import Iterator
from dataclasses import replace

from services.ingest.columns.column_order import ordered
from services.ingest.columns.names import GivenNames
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows, shown
from services.ingest.formats.json_tables import names_and_rows, read_table
from services.ingest.formats.json_text import Json, is_lines, rows_of_lists
from services.ingest.report import Rejection

NAME = "json-lines"

_WIDTH = len(CANDLE_FIELDS)


def sniff(head: str) -> bool:
    """Return whether the first line is an object or a list of values, and the second begins another."""
    return is_lines(head)


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield all rows in one batch; lines that are not JSON are misshapen."""
    lines, records, broken = _parsed(file.whole())
    if any(isinstance(record, dict) for record in records):
        blocks = read_table(file, *names_and_rows(records), given)
    else:
        blocks = ordered(iter((rows_of_lists(records, range(_WIDTH), (_WIDTH,)),)))
    for rows in blocks:
        numbered = [replace(each, line=lines[each.line - 1]) for each in rows.misshapen]
        yield replace(
            rows, lines=[lines[number - 1] for number in rows.lines], misshapen=(*numbered, *broken)
        )


def _parsed(content: str) -> tuple[list[int], list[Json], list[Rejection]]:
    """Return the numbers of the lines that are JSON, their contents, and the other lines."""
    numbers, records, broken = [], [], []
    decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).decode
    for number, line in enumerate(content.split("\n"), 1):
        if not line or line.isspace():
            continue
        try:
            records.append(decode(line))
            numbers.append(number)
        except (json.JSONDecodeError, RecursionError):
            broken.append(Rejection(number, f"the line is not JSON: {shown(line)}"))
    return numbers, records, broken
