"""Plain CSV: a header that names the columns, in any order, among any others."""

from collections.abc import Iterator

from services.data.readers.close_time import CLOSE_TIME_NAMES, closed_by_last_column
from services.data.readers.delimited import has_header, header_names, read_lines
from services.data.readers.symbol_column import SYMBOL_NAMES, told_by_last_column
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import CANDLE_FIELDS, TIME_NAMES, TextRows
from services.shared.errors import InvalidInput

NAME = "plain-csv"


def sniff(head: str) -> bool:
    """Tell whether the first line names columns of candles."""
    return has_header(head)


def read(file: TextFile) -> Iterator[TextRows]:
    """Yield the rows below the header.

    Raises InvalidInput, naming the column, where one is missing or there twice.
    """
    names = header_names(file.head())
    wanted = wanted_columns(names)
    symbol = [name for name in SYMBOL_NAMES if names.count(name) == 1][:1]
    close_time = [name for name in CLOSE_TIME_NAMES if names.count(name) == 1][:1]
    picked = [names.index(name) for name in (*wanted, *symbol, *close_time)]
    rows = read_lines(file, 1, len(names), picked)
    rows = closed_by_last_column(rows) if close_time else rows
    return told_by_last_column(rows) if symbol else rows


def wanted_columns(names: list[str]) -> tuple[str, ...]:
    """Return what time, open, high, low, close and volume are called among the names of columns.

    Raises InvalidInput, naming the column, where one is missing or there twice.
    """
    wanted = (time_name(names), *CANDLE_FIELDS[1:])
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InvalidInput.of("file", f"it has no column {', '.join(missing)}")
    for name in wanted:
        if names.count(name) > 1:
            raise InvalidInput.of("file", f"it has the column {name} twice")
    return wanted


def time_name(names: list[str]) -> str:
    """Return what the time is called; raises InvalidInput where it is not named, or in two parts."""
    found = [name for name in TIME_NAMES if name in names]
    if not found:
        raise InvalidInput.of("file", f"it has no column of the time, named one of {', '.join(TIME_NAMES)}")
    if found == ["date", "time"]:
        # The date alone would be read as midnight, and the rows of a day as contradicting each other.
        raise InvalidInput.of("file", "its times are split into the columns date and time: one is needed")
    return found[0]
