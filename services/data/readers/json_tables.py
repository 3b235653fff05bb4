"""JSON that names its columns: records, or a table as pandas' `to_json` writes it in any of its ways.

`[{"time": …, "open": …}, …]`; an object of columns, each a list or an object by row; one of rows by time;
`{"columns": […], "index": […], "data": [[…], …]}`, and records in `data`.
"""

from collections.abc import Iterator, Sequence

from services.data.readers.close_time import closed_by_last_column
from services.data.readers.columns import Columns, GivenNames, find_columns, known_names
from services.data.readers.file_symbol import told_by_name
from services.data.readers.json_text import Json, is_lines, parse, rows_of_lists, text
from services.data.readers.symbol_column import told_by_last_columns
from services.data.readers.text_columns import joined_times, without_volume
from services.data.readers.text_file import TextFile
from services.data.readers.text_rows import TextRows, shown
from services.shared.errors import InvalidInput

NAME = "json"

# What a column is called that has no name: a key before a row of values is mostly its time.
_INDEX = "Unnamed: 0"


def sniff(head: str) -> bool:
    """Tell whether it is one object, or a list of objects."""
    beginning = "".join(head[:100].split())
    return beginning.startswith(("{", "[{")) and not is_lines(head)


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield the rows, all at once; raises InvalidInput where the file is not JSON, or no table of candles."""
    return read_table(file, *_table(parse(file)), given)


def read_table(
    file: TextFile, names: Sequence[str], records: Sequence[Json], given: GivenNames
) -> Iterator[TextRows]:
    """Yield the rows of lists of values below names, all at once."""
    first = next((record for record in records if isinstance(record, list)), [])
    columns = find_columns(names, given, list(map(text, first)), told_by_name(file.path, file.member).symbol)
    return candle_columns(rows_of_lists(records, columns.picked(), (len(names),)), columns)


def candle_columns(rows: TextRows, columns: Columns) -> Iterator[TextRows]:
    """Yield rows that have the columns picked as candles have them."""
    blocks: Iterator[TextRows] = iter((rows,))
    if len(columns.time) > 1:
        blocks = joined_times(blocks)
    if columns.symbol:
        blocks = told_by_last_columns(blocks, len(columns.symbol), columns.is_symbol_split)
    if columns.close_time is not None:
        blocks = closed_by_last_column(blocks)
    return without_volume(blocks) if columns.volume is None else blocks


def names_and_rows(records: Sequence[Json]) -> tuple[list[str], list[Json]]:
    """Return the names in the objects of a list, and the list of each one's values; others as they are.

    A record that lacks some of the names has the empty text there.
    """
    names = list(dict.fromkeys(name for record in records if isinstance(record, dict) for name in record))
    return names, [
        [record.get(name, "") for name in names] if isinstance(record, dict) else record for record in records
    ]


def _table(content: Json) -> tuple[list[str], list[Json]]:
    if isinstance(content, list):
        return names_and_rows(content)
    if isinstance(content.get("data"), list):
        if isinstance(content.get("columns"), list):
            return _split(content["columns"], content.get("index"), content["data"])
        return names_and_rows(content["data"])
    if known_names(list(content)) >= 2:
        columns = {name: column for name, column in content.items() if isinstance(column, list | dict)}
        if not columns:
            return names_and_rows([content])
        return _of_columns(columns)
    if content and all(isinstance(row, dict) for row in content.values()):
        names, rows = names_and_rows(list(content.values()))
        return [_INDEX, *names], [[key, *row] for key, row in zip(content, rows, strict=True)]
    told = ", ".join(map(shown, list(content)[:5])) or "nothing"
    raise InvalidInput.of("file", f"it is no table of candles: it is an object of {told[:120]}")


def _split(columns: list[Json], index: Json, rows: list[Json]) -> tuple[list[str], list[Json]]:
    names = list(map(text, columns))
    if not isinstance(index, list) or len(index) != len(rows):
        return names, rows
    indexed = zip(index, rows, strict=True)
    return [_INDEX, *names], [[key, *row] if isinstance(row, list) else row for key, row in indexed]


def _of_columns(columns: dict[str, Json]) -> tuple[list[str], list[Json]]:
    counts = {len(column) for column in columns.values()}
    if len(counts) > 1:
        raise InvalidInput.of("file", f"its columns are {min(counts)} to {max(counts)} values long")
    keys: list[str] | None = None
    values = []
    for column in columns.values():
        if isinstance(column, dict):
            if keys is not None and list(column) != keys:
                raise InvalidInput.of("file", "its columns are not of the same rows")
            keys = list(column)
        values.append(list(column.values()) if isinstance(column, dict) else column)
    if keys is None:
        return list(columns), [list(row) for row in zip(*values, strict=True)]
    return [_INDEX, *columns], [list(row) for row in zip(keys, *values, strict=True)]
