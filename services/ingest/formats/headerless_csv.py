"""CSV without a header: a time and five numbers; in MetaTrader 4's export, a date and a time of day first.

The order of the prices is detected by their values.
"""

from collections.abc import Iterator

from backcast_engine.errors import InvalidInput
from services.ingest.columns.column_order import ordered
from services.ingest.columns.names import GivenNames
from services.ingest.columns.time_column import is_clock, is_time
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, joined_times, without_volume
from services.ingest.formats.delimited import (
    has_header,
    is_number,
    lines_at_top,
    read_lines,
    refuse_unknown_header,
    separator_of,
    split_line,
)

NAME = "headerless-csv"

_WIDTH_WITHOUT_VOLUME, _WIDTH, _WIDTH_WITH_CLOCK = 5, 6, 7


def sniff(head: str) -> bool:
    """Return whether a line near the top is a time and numbers."""
    return not has_header(head) and _width(head) is not None


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield the rows; raises InvalidInput if the first line is a header of unknown names."""
    head = file.head()
    width, separator = _width(head) or _WIDTH, separator_of(head)
    refuse_unknown_header(head, width)
    if width == _WIDTH_WITHOUT_VOLUME and not given.is_without_volume:
        raise InvalidInput.of("file", "its rows have no volume: --map volume= takes them without one")
    rows = read_lines(file, 0, width, range(width), separator)
    if width == _WIDTH_WITH_CLOCK:
        rows = joined_times(rows)
    if width == _WIDTH_WITHOUT_VOLUME:
        rows = without_volume(rows)
    return ordered(rows)


def _width(head: str) -> int | None:
    separator = separator_of(head)
    for line in lines_at_top(head):
        first, *others = split_line(line, separator)
        width = 1 + len(others)
        if width == _WIDTH_WITH_CLOCK and is_clock(others[0]):
            first, *others = f"{first} {others[0]}", *others[1:]
        elif width not in (_WIDTH, _WIDTH_WITHOUT_VOLUME):
            continue
        if all(map(is_number, others)) and is_time(first):
            return width
    return None
