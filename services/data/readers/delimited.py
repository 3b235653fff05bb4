"""Lines of fields between commas."""

import csv
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from services.data.readers.report import Rejection
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import CANDLE_FIELDS, TIME_NAMES, TextRows

# A candle's line is some hundred characters. A longer one than this is not split: a line that is a file
# of its own would become millions of fields.
MAX_LINE_CHARACTERS = 65_536

# How many lines at the top of a file may be no candles, and the format still be found.
_SNIFFED_LINES = 20


def read_lines(file: TextFile, header_lines: int, width: int, picked: Sequence[int]) -> Iterator[TextRows]:
    """Yield the rows below the header; `picked` are the positions of the columns among `width` fields.

    Blank lines are passed over; lines with other than `width` fields are misshapen.
    """
    for block in file.blocks():
        text, first_line = block.text, block.first_line
        if first_line <= header_lines:
            text, first_line = text.split("\n", header_lines)[-1], 1 + header_lines
        if text:
            yield _clean_rows(text, first_line, width, picked) or _careful_rows(
                text, first_line, width, picked
            )


def split_line(line: str) -> list[str]:
    """Return the fields of a line, without the quotes that may be around them.

    A quoted field does not reach beyond its line, so that a lost quote spoils one line, not all below.
    """
    return next(csv.reader((line,))) if '"' in line else line.split(",")


def header_names(text: str) -> list[str]:
    """Return the names in a file's first line, in lower case, `_` for spaces: what a header would tell."""
    line = text[: MAX_LINE_CHARACTERS + 1].split("\n", 1)[0]
    return [column_name(name) for name in split_line(line) if line]


def column_name(text: str) -> str:
    """Return what a column is called, however a header writes it."""
    return text.strip().lower().replace(" ", "_")


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


def _clean_rows(text: str, first_line: int, width: int, picked: Sequence[int]) -> TextRows | None:
    """Return the rows where all lines are `width` fields, not quoted, and not too long; otherwise None."""
    content = text.encode()
    line_ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    if '"' in text or np.diff(line_ends, prepend=-1).max() - 1 > MAX_LINE_CHARACTERS:
        return None
    names = [str(position) for position in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(content) + 1, column_names=names
            ),
            parse_options=pyarrow.csv.ParseOptions(quote_char=False),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[position] for position in picked],
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != len(line_ends):
        return None
    columns = tuple(table.column(names[position]).combine_chunks() for position in picked)
    return TextRows(range(first_line, first_line + len(table)), columns)


def _careful_rows(text: str, first_line: int, width: int, picked: Sequence[int]) -> TextRows:
    lines, rows, misshapen = [], [], []
    for number, line in enumerate(text.split("\n"), first_line):
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
