"""JSON with named columns: records, or a table in any orientation of pandas' `to_json`.

`[{"time": …, "open": …}, …]`; an object of columns, each a list or an object by row; one of rows by time;
`{"columns": […], "index": […], "data": [[…], …]}`; and records anywhere in an object that can also have their
symbol and interval: `{"symbol": …, "interval": …, "candles": [{…}, …]}`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from backcast_engine.errors import InvalidInput
from services.ingest.columns.names import Columns, GivenNames, column_key, find_columns, known_names
from services.ingest.columns.symbol_column import SYMBOL_NAMES, only_symbol, symbol_by_last_columns
from services.ingest.files.text_file import TextFile
from services.ingest.files.text_rows import TextRows, joined_times, shown, without_volume
from services.ingest.formats.json_text import Json, is_lines, parse, rows_of_lists, text
from services.ingest.identity.close_time import closed_by_last_column
from services.ingest.identity.file_symbol import parse_file_name
from services.ingest.identity.lengths import length_from

NAME = "json"

# The name of an unnamed column: a key before a row of values is usually its time.
_INDEX = "Unnamed: 0"
_LENGTH_NAMES = ("interval", "timeframe", "resolution", "period")
# Objects in a list are candles if this many of their values have known names; four are the prices.
_NAMED_FIELDS = 4


def sniff(head: str) -> bool:
    """Return whether it is one object, or a list of objects."""
    beginning = "".join(head[:100].split())
    return beginning.startswith(("{", "[{")) and not is_lines(head)


def read(file: TextFile, given: GivenNames = GivenNames()) -> Iterator[TextRows]:  # noqa: B008
    """Yield all rows in one batch; raises InvalidInput if the file is not JSON, or has no candles."""
    content = parse(file)
    symbol, length_s = _stated(content)
    for rows in read_table(file, *_table(content), given, symbol):
        if symbol is not None and rows.symbol is not None:
            only_symbol([pa.array([symbol, rows.symbol], pa.string())])
        yield replace(rows, symbol=rows.symbol or symbol, length_s=length_s)


def read_table(
    file: TextFile,
    names: Sequence[str],
    records: Sequence[Json],
    given: GivenNames,
    symbol: str | None = None,
) -> Iterator[TextRows]:
    """Yield all rows of lists of values with the given names in one batch; `symbol` is their symbol."""
    if not names:
        raise InvalidInput.of("file", "its values have no names")
    first = next((record for record in records if isinstance(record, list)), [])
    symbol = symbol or parse_file_name(file.path, file.member).symbol
    columns = find_columns(names, given, list(map(text, first)), symbol)
    return candle_columns(rows_of_lists(records, columns.picked(), (len(names),)), columns)


def candle_columns(rows: TextRows, columns: Columns) -> Iterator[TextRows]:
    """Yield the rows with the picked columns, in the order of candles."""
    blocks: Iterator[TextRows] = iter((rows,))
    if len(columns.time) > 1:
        blocks = joined_times(blocks)
    if columns.symbol:
        blocks = symbol_by_last_columns(blocks, len(columns.symbol), columns.is_symbol_split)
    if columns.close_time is not None:
        blocks = closed_by_last_column(blocks)
    return without_volume(blocks) if columns.volume is None else blocks


def names_and_rows(records: Sequence[Json]) -> tuple[list[str], list[Json]]:
    """Return the names in the objects of a list, and each object's values; other items stay as they are.

    A record that lacks a name has an empty text there.
    """
    names = list(dict.fromkeys(name for record in records if isinstance(record, dict) for name in record))
    if {"e", "k"} <= set(names) or {"t", "T", "l", "L"} <= set(names):
        raise InvalidInput.of(
            "file", "its records are klines of Binance's websocket, of which many are not closed: take those "
            "of the REST API or the archive"
        )  # fmt: skip
    return names, [
        [record.get(name, "") for name in names] if isinstance(record, dict) else record for record in records
    ]


def _table(content: Json) -> tuple[list[str], list[Json]]:
    if isinstance(content, list):
        return names_and_rows(content)
    data = content.get("data")
    if isinstance(data, list) and isinstance(content.get("columns"), list):
        return _split(content["columns"], content.get("index"), data)
    if known_names(list(content)) >= 2:
        columns = {name: column for name, column in content.items() if isinstance(column, list | dict)}
        return _of_columns(columns) if columns else names_and_rows([content])
    found = _records(content)
    if len(found) > 1:
        raise InvalidInput.of("file", f"it has {len(found)} lists of candles: one is needed")
    if found or isinstance(data, list):
        return names_and_rows(found[0] if found else data)
    if content and all(isinstance(row, dict) for row in content.values()):
        names, rows = names_and_rows(list(content.values()))
        return [_INDEX, *names], [[key, *row] for key, row in zip(content, rows, strict=True)]
    names_and_rows([content])  # raises if the object is of a known kind without candles
    keys = ", ".join(map(shown, list(content)[:5])) or "nothing"
    raise InvalidInput.of("file", f"its JSON is an object without candles, of {keys[:120]}")


def _records(content: Json) -> list[list[Json]]:
    """Return the lists of records that contain candles, in an object and in the objects in it."""
    found = []
    for value in content.values():
        if isinstance(value, dict):
            found += _records(value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found += [value] if known_names(list(value[0])) >= _NAMED_FIELDS else []
    return found


def _stated(content: Json) -> tuple[str | None, int | None]:
    """Return the symbol and the length in seconds that an object gives for its records, or None.

    Raises InvalidInput if it gives several.
    """
    symbols, lengths = [], set()
    objects = [content] if isinstance(content, dict) else []
    for each in objects:  # the list grows while it is iterated
        objects += [value for value in each.values() if isinstance(value, dict)]
        for name, value in each.items():
            if isinstance(value, str) and value.strip():
                if column_key(name) in SYMBOL_NAMES:
                    symbols.append(value)
                elif column_key(name) in _LENGTH_NAMES and (length_s := length_from(value)):
                    lengths.add(length_s)
    if len(lengths) > 1:
        raise InvalidInput.of("file", "it names several lengths of its candles: give --interval")
    return only_symbol([pa.array(symbols, pa.string())]), next(iter(lengths), None)


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
