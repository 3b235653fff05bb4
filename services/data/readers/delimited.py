"""Lines of fields between commas."""

import csv
from collections.abc import Sequence

import numpy as np

from services.data.readers.report import Rejection
from services.data.readers.text_rows import CANDLE_FIELDS, TIME_NAMES, TextRows

# A candle's line is some hundred characters. A longer one than this is not split: a line that is a file
# of its own would become millions of fields.
MAX_LINE_CHARACTERS = 65_536

# How many lines at the top of a file may be no candles, and the format still be found.
_SNIFFED_LINES = 20


def read_lines(text: str, header_lines: int, width: int, picked: Sequence[int]) -> TextRows:
    """Return the rows below the header; `picked` are the positions of CANDLE_FIELDS among `width` fields.

    Blank lines are passed over; lines with other than `width` fields are misshapen.
    """
    header_and_rows = text.split("\n", header_lines)
    if len(header_and_rows) <= header_lines:
        return TextRows([], tuple([] for _ in picked), ())
    body = header_and_rows[-1].rstrip("\n")
    if _is_clean(body, width):
        # No list for each line: that is what most of the time would go to.
        fields = body.replace("\n", ",").split(",")
        columns = tuple(fields[position::width] for position in picked)
        return TextRows(range(header_lines + 1, header_lines + 1 + len(columns[0])), columns, ())
    return _careful_rows(body, header_lines + 1, width, picked)


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
    return len({*TIME_NAMES, *CANDLE_FIELDS}.intersection(header_names(head))) >= 2


def is_headerless(head: str, width: int) -> bool:
    """Tell whether `head` is of a file without header whose lines are `width` fields, led by numbers.

    One good line near the top is enough: that others are broken is for the report to tell.
    """
    lines = head.split("\n")[:_SNIFFED_LINES]
    return not has_header(head) and any(
        len(fields) == width and all(map(_is_number, fields[: len(CANDLE_FIELDS)]))
        for fields in map(split_line, lines)
    )


def _is_clean(body: str, width: int) -> bool:
    """Tell whether all lines are `width` fields, not quoted, and not too long."""
    if '"' in body:
        return False
    # In UTF-8, the bytes of commas and line ends are nothing else.
    content = np.frombuffer(f"{body}\n".encode(), np.uint8)
    ends = np.flatnonzero((content == ord(",")) | (content == ord("\n")))
    if len(ends) % width:
        return False
    marks = content[ends].reshape(-1, width)
    line_lengths = np.diff(ends[width - 1 :: width], prepend=-1) - 1
    return bool(
        (marks[:, :-1] == ord(",")).all()
        and (marks[:, -1] == ord("\n")).all()
        and line_lengths.max() <= MAX_LINE_CHARACTERS
    )


def _careful_rows(body: str, first_line: int, width: int, picked: Sequence[int]) -> TextRows:
    lines, rows, misshapen = [], [], []
    for number, line in enumerate(body.split("\n"), first_line):
        if len(line) > MAX_LINE_CHARACTERS:
            misshapen.append(Rejection(number, f"the line is {len(line)} characters long"))
        elif line and not line.isspace():
            fields = split_line(line)
            if len(fields) == width:
                lines.append(number)
                rows.append([fields[position] for position in picked])
            else:
                misshapen.append(Rejection(number, f"the number of fields is {len(fields)}, not {width}"))
    columns = tuple([row[position] for row in rows] for position in range(len(picked)))
    return TextRows(lines, columns, tuple(misshapen))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
