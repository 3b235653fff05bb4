"""Plain CSV: a header that names the columns, in any order, among any others."""

from collections.abc import Iterator

from services.ingest.columns.names import Columns, GivenNames, find_columns
from services.ingest.columns.symbol_column import symbol_by_last_columns
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, joined_times, without_volume
from services.ingest.formats.delimited import (
    first_row,
    has_header,
    header_names,
    lines_above_header,
    read_lines,
    separator_of,
)
from services.ingest.identity.close_time import closed_by_last_column
from services.ingest.identity.file_symbol import parse_file_name

NAME = "plain-csv"


def sniff(head: str) -> bool:
    """Return whether the first line below comments names columns of candles."""
    return has_header(head)


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield the rows below the header.

    Raises InvalidInput, naming the column, if one is missing or occurs twice.
    """
    head = file.head()
    names = header_names(head)
    symbol = parse_file_name(file.path, file.member).symbol
    header_lines = lines_above_header(head) + 1
    columns = find_columns(names, given, first_row(head, header_lines, len(names)), symbol)
    return read_columns(file, header_lines, len(names), columns, separator_of(head))


def read_columns(
    file: TextFile, header_lines: int, width: int, columns: Columns, separator: str = ","
) -> Iterator[TextRows]:
    """Yield the rows below the header, of `width` columns of which some are a candle's."""
    picked = columns.picked()
    rows = read_lines(file, header_lines, width, picked, separator)
    if len(columns.time) > 1:
        rows = joined_times(rows)
    if columns.symbol:
        rows = symbol_by_last_columns(rows, len(columns.symbol), columns.is_symbol_split)
    if columns.close_time is not None:
        rows = closed_by_last_column(rows)
    return without_volume(rows) if columns.volume is None else rows
