"""Lines of fields that are separated by commas, semicolons, tabs or vertical bars."""

import csv
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import known_names
from services.ingest.files.text_file import LineBlock, TextFile
from services.ingest.files.text_rows import CANDLE_FIELDS, TextRows, shown
from services.ingest.report import Rejection

# A line of a candle has some hundred characters. A longer line than this is not split: a whole file in one
# line would become millions of fields.
MAX_LINE_CHARACTERS = 65_536

# Lines at the top of a file that are searched for the first candle.
_SNIFFED_LINES = 20
# Names of an unknown header that a message shows.
_NAMES_SHOWN = 6
# The first separator that fits is taken.
_SEPARATORS = (",", ";", "\t", "|")
# Digits with points can be a date, and are then no number of seconds.
_DATE = re.compile(r"\s*(?:\d{8}|\d+\.\d+\.\d+)\s*")
_ABOVE_HEADER = re.compile(r"\s*(?:#.*|\"?sep=.\"?\s*)?", re.IGNORECASE)
# A number in any style; all numbers of the file together decide which style it is.
_NUMBER = re.compile(r"\s*[-+]?[.,]?\d[\d.,'’\s]*(?:[eE][-+]?\d+)?\s*")


def read_lines(
    file: TextFile, header_lines: int, width: int, picked: Sequence[int], separator: str = ","
) -> Iterator[TextRows]:
    """Yield the rows below the header; `picked` are the positions of the columns among `width` fields.

    Blank lines are skipped; lines without exactly `width` fields are misshapen.
    """
    for block in file.blocks():
        content, first_line = _below(block, header_lines)
        if content:
            yield _clean_rows(content, first_line, width, picked, separator) or _careful_rows(
                str(content, "utf-8"), first_line, width, picked, separator
            )


def split_line(line: str, separator: str = ",") -> list[str]:
    """Return the fields of a line, without quotes around them.

    A quoted field ends with its line, so that a missing quote spoils only one line.
    """
    return next(csv.reader((line,), delimiter=separator)) if '"' in line else line.split(separator)


def separator_of(head: str) -> str:
    """Return the separator: the one that gives the most known names in a header, or numbers in a line."""
    first, *others = lines_at_top(head)[lines_above_header(head) :]
    named = {separator: known_names(split_line(first, separator)) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=named.__getitem__)
    if named[best] >= 2:
        return best
    for line in (first, *others):
        for separator in _SEPARATORS:
            fields = split_line(line, separator)
            if len(fields) >= len(CANDLE_FIELDS) - 1 and all(map(is_number, fields[2:5])):
                return separator
    return ","


def lines_at_top(head: str) -> list[str]:
    """Return the lines at the top of a file, cut to the longest allowed length; at least one."""
    lines = head.split("\n", _SNIFFED_LINES)[:_SNIFFED_LINES]
    return [line[: MAX_LINE_CHARACTERS + 1] for line in lines]


def lines_above_header(head: str) -> int:
    """Return the number of blank lines, comments (`# …`) and Excel's lines (`sep=;`) that a file begins with.

    A comment that names columns is the header itself.
    """
    lines = lines_at_top(head)[:-1]
    above = 0
    for line in lines:
        if not _ABOVE_HEADER.fullmatch(line) or _names_columns(line):
            break
        above += 1
    return above


def header_names(head: str) -> list[str]:
    """Return the fields of the first line below comments: the names of columns, if it is a header."""
    line = lines_at_top(head)[lines_above_header(head)]
    return split_line(line, separator_of(head)) if line else []


def has_header(head: str) -> bool:
    """Return whether the first line below comments names two fields of candles; one may be a word of text."""
    return known_names(header_names(head)) >= 2


def is_headerless(head: str, width: int) -> bool:
    """Return whether `head` is of a file without header, with lines of `width` fields led by numbers.

    One good line near the top is enough; broken lines are left to the report.
    """
    separator = separator_of(head)
    return not has_header(head) and any(
        len(fields) == width
        and all(map(is_number, fields[: len(CANDLE_FIELDS)]))
        and not _DATE.fullmatch(fields[0])
        for fields in (split_line(line, separator) for line in lines_at_top(head))
    )


def refuse_unknown_header(head: str, width: int) -> None:
    """Raise InvalidInput, of the field `file`, if a line near the top is a header that was not read.

    That is a first line of `width` words, or one that names columns and stands below others. What stands
    below names is identified by them, and not by its position.
    """
    above = lines_above_header(head)
    lines = lines_at_top(head)
    first = split_line(lines[above], separator_of(head))
    if len(first) == width and not any(map(is_number, first)):
        # Without the quotes, as names are typed.
        names = [shown(name)[1:-1] for name in first]
        some = ", ".join([*names[:_NAMES_SHOWN], *["…"][: len(names) > _NAMES_SHOWN]])
        known = "only one" if known_names(first) else "none"
        raise InvalidInput.of(
            "file", f"{known} of its columns ({some}) is known: name them, as in --map datetime={names[0]}"
        )
    for number, line in enumerate(lines, 1):
        if _names_columns(line):
            raise InvalidInput.of(
                "file",
                f"line {number} names its columns, {shown(line.strip())}, below a line that is none of its "
                "rows and no comment: remove what is above it",
            )


def first_row(head: str, header_lines: int, width: int) -> list[str]:
    """Return the fields of the first line below the header with `width` fields; empty if there is none."""
    separator = separator_of(head.split("\n", max(header_lines - 1, 0))[-1])
    rows = (split_line(line, separator) for line in lines_at_top(head)[header_lines:])
    return next((fields for fields in rows if len(fields) == width), [])


def is_number(field: str) -> bool:
    """Return whether a field is a number, in any style."""
    return _NUMBER.fullmatch(field) is not None


def _names_columns(line: str) -> bool:
    """Return whether a line names at least three fields of candles, with any separator."""
    return max(known_names(split_line(line, separator)) for separator in _SEPARATORS) >= 3


def _below(block: LineBlock, header_lines: int) -> tuple[memoryview, int]:
    """Return the lines of a block below the header, and the number of the first one."""
    start, line = 0, block.first_line
    while line <= header_lines and start < len(block.content):
        start, line = block.content.index(b"\n", start) + 1, line + 1
    return memoryview(block.content)[start:], line


def _clean_rows(
    content: memoryview, first_line: int, width: int, picked: Sequence[int], separator: str
) -> TextRows | None:
    """Return the rows if all lines have `width` fields and none is too long; otherwise None."""
    characters = np.frombuffer(content, np.uint8)
    line_ends = np.flatnonzero(characters == ord("\n"))
    if np.diff(line_ends, prepend=-1).max() - 1 > MAX_LINE_CHARACTERS:
        return None
    names = [str(position) for position in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(content) + 1, column_names=names
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator, quote_char='"' if (characters == ord('"')).any() else False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[position] for position in picked],
            ),
        )
    except pa.ArrowInvalid:
        return None
    # After a missing quote, the parser takes all lines up to the next quote for one.
    if len(table) != len(line_ends):
        return None
    # One block of the file makes one chunk of each column.
    columns = tuple(table.column(names[position]).chunk(0) for position in picked)
    return TextRows(range(first_line, first_line + len(table)), columns)


def _careful_rows(text: str, first_line: int, width: int, picked: Sequence[int], separator: str) -> TextRows:
    lines, rows, misshapen = [], [], []
    for number, line in enumerate(text.split("\n"), first_line):
        if len(line) > MAX_LINE_CHARACTERS:
            misshapen.append(Rejection(number, f"the line is {len(line)} characters long"))
        elif line and not line.isspace():
            fields = split_line(line, separator)
            if len(fields) == width:
                lines.append(number)
                rows.append([fields[position] for position in picked])
            else:
                misshapen.append(Rejection(number, f"the number of fields is {len(fields)}, not {width}"))
    columns = tuple([row[position] for row in rows] for position in range(len(picked)))
    return TextRows(lines, columns, tuple(misshapen))
