"""Lines of fields between commas."""

import csv
from collections.abc import Sequence
from operator import itemgetter

from services.data.readers.report import Rejection
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows

# A candle's line is some hundred characters. A longer one than this is not split: a line that is a file
# of its own would become millions of fields.
MAX_LINE_CHARACTERS = 65_536

# How many lines at the top of a file may be no candles, and the format still be found.
_SNIFFED_LINES = 20


def read_lines(text: str, header_lines: int, width: int, picked: Sequence[int]) -> TextRows:
    """Return the rows below the header; `picked` are the positions of CANDLE_FIELDS among `width` fields.

    Blank lines are passed over; lines with other than `width` fields are misshapen.
    """
    lines = text.rstrip("\n").split("\n")
    rows = _clean_rows(lines[header_lines:], width)
    if rows is not None:
        return TextRows(list(range(header_lines + 1, len(lines) + 1)), _columns(rows, picked), ())
    return _careful_rows(lines, header_lines, width, picked)


def split_line(line: str) -> list[str]:
    """Return the fields of a line, without the quotes that may be around them.

    A quoted field does not reach beyond its line, so that a lost quote spoils one line, not all below.
    """
    return next(csv.reader((line,))) if '"' in line else line.split(",")


def header_names(text: str) -> list[str]:
    """Return the names in a file's first line, in lower case, `_` for spaces: what a header would tell."""
    line = text[: MAX_LINE_CHARACTERS + 1].split("\n", 1)[0]
    return [name.strip().lower().replace(" ", "_") for name in split_line(line) if line]


def has_header(head: str) -> bool:
    """Tell whether the first line names fields of candles: two at least, for one may be a word of prose."""
    return len(set(header_names(head)) & set(CANDLE_FIELDS[1:])) >= 2


def is_headerless(head: str, width: int) -> bool:
    """Tell whether `head` is of a file without header whose lines are `width` fields, led by numbers.

    One good line near the top is enough: that others are broken is for the report to tell.
    """
    lines = head.split("\n")[:_SNIFFED_LINES]
    return not has_header(head) and any(
        len(fields) == width and all(map(_is_number, fields[: len(CANDLE_FIELDS)]))
        for fields in map(split_line, lines)
    )


def _clean_rows(lines: list[str], width: int) -> list[list[str]] | None:
    """Return the fields of lines that have no quotes and all have `width` fields; or None."""
    if any('"' in line for line in lines) or max(map(len, lines), default=0) > MAX_LINE_CHARACTERS:
        return None
    rows = [line.split(",") for line in lines]
    return rows if set(map(len, rows)) <= {width} else None


def _careful_rows(lines: list[str], header_lines: int, width: int, picked: Sequence[int]) -> TextRows:
    numbers, rows, misshapen = [], [], []
    for number, line in enumerate(lines[header_lines:], header_lines + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            misshapen.append(Rejection(number, f"the line is {len(line)} characters long"))
        elif line and not line.isspace():
            fields = split_line(line)
            if len(fields) == width:
                numbers.append(number)
                rows.append(fields)
            else:
                misshapen.append(Rejection(number, f"the number of fields is {len(fields)}, not {width}"))
    return TextRows(numbers, _columns(rows, picked), tuple(misshapen))


def _columns(rows: list[list[str]], picked: Sequence[int]) -> tuple[list[str], ...]:
    return tuple(list(map(itemgetter(position), rows)) for position in picked)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
