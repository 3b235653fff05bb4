"""yfinance's CSV: three lines of header, for the prices, for the ticker below each, and for the time.

The volume is taken as it is written: Yahoo counts that of cryptos in the currency that they are priced in.
"""

from collections.abc import Iterator
from dataclasses import replace

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import GivenNames, column_key, find_columns
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, shown
from services.ingest.formats.delimited import first_row, lines_at_top, split_line
from services.ingest.formats.plain_csv import read_columns

NAME = "yfinance-csv"

_HEADER_LINES = 3


def sniff(head: str) -> bool:
    """Return whether the first lines are of prices and tickers, in either order, and of the time alone."""
    lines = list(map(split_line, lines_at_top(head)[:_HEADER_LINES]))
    if len(lines) < _HEADER_LINES or len({len(line) for line in lines}) > 1:
        return False
    first, second, (time, *rest) = lines
    return {column_key(first[0]), column_key(second[0])} in ({"price", "ticker"}, {"", "ticker"}) and (
        column_key(time) in ("date", "datetime") and not any(rest)
    )


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield the rows; raises InvalidInput if they are of several tickers, or a column is missing."""
    head = file.head()
    lines = list(map(split_line, lines_at_top(head)[:_HEADER_LINES]))
    lines[:2] = sorted(lines[:2], key=lambda line: column_key(line[0]) == "ticker")
    (_, *prices), (_, *tickers), (time, *_) = lines
    one, *others = dict.fromkeys(tickers)
    if others:
        raise InvalidInput.of(
            "file", f"its columns are of several cryptos: {shown(one)} and {shown(others[0])}"
        )
    names = [time, *prices]
    columns = find_columns(names, given, first_row(head, _HEADER_LINES, len(names)), one)
    rows = read_columns(file, _HEADER_LINES, len(names), columns)
    return (replace(each, symbol=one) for each in rows)
