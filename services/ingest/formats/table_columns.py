"""Candles from batches of typed columns, as in Arrow and Parquet files."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn, TimeColumn
from backcast_engine.errors import InvalidInput
from services.ingest.candle_rows import CandleRows
from services.ingest.columns.names import TIME_KEYS, Columns, GivenNames, column_key, find_columns
from services.ingest.columns.number_column import read_numbers
from services.ingest.columns.symbol_column import VAGUE_NAMES, only_symbol
from services.ingest.columns.time_column import floor_seconds, read_times, times_of_ticks
from services.ingest.columns.written_times import DateOrder
from services.ingest.files.text_rows import CANDLE_FIELDS
from services.ingest.identity.close_time import lengths_from

# pandas' name of an unnamed index.
_UNNAMED_INDEX = "__index_level_0__"


def wanted_columns(schema: pa.Schema, given: GivenNames) -> Columns:
    """Return the positions of the columns of candles.

    Names are the same as in headers of CSV files; without a named time, an unnamed index of timestamps is the
    time. Raises InvalidInput, naming the column, if one is missing or occurs twice.
    """
    names = list(schema.names)
    if names.count(_UNNAMED_INDEX) == 1 and not any(column_key(name) in TIME_KEYS for name in names):
        index = names.index(_UNNAMED_INDEX)
        if pa.types.is_timestamp(schema.field(index).type):
            names[index] = "time"
    columns = find_columns(names, given)
    if any(column_key(names[at]) in VAGUE_NAMES and not _is_text(schema.field(at)) for at in columns.symbol):
        columns = replace(columns, symbol=())
    if len(columns.time) > 1 and not pa.types.is_timestamp(schema.field(columns.time[0]).type):
        raise InvalidInput.of("file", "its times are split into a date and a time: one column is needed")
    return replace(columns, time=columns.time[:1])


def read_batches(batches: Iterable[Sequence[pa.Array]], columns: Columns) -> Iterator[CandleRows]:
    """Yield the rows of batches that contain the picked columns, in that order."""
    first, dates = 1, DateOrder()
    for time, *values in batches:
        prices = values[: len(columns.prices)]
        others = list(map(_plain, values[len(columns.prices) :]))
        volume = others.pop(0) if columns.volume is not None else pa.array(np.zeros(len(time)))
        close_time = others.pop(0) if columns.close_time is not None else None
        symbols = [_texts("symbol", column) for column in others]
        lines = np.arange(first, first + len(time))
        times, reasons = _times(_plain(time), dates, lines)
        numbers: list[PriceColumn] = []
        for name, column in zip(CANDLE_FIELDS[1:], (*map(_plain, prices), volume), strict=True):
            column_numbers, number_reasons = _numbers(name, column)
            numbers.append(column_numbers)
            reasons = number_reasons | reasons
        yield CandleRows(
            lines=lines,
            candles=Candles(times, *numbers),
            reasons=reasons,
            symbol=only_symbol(symbols, columns.is_symbol_split) if symbols else None,
            lengths_s=None if close_time is None else lengths_from(times, _seconds(close_time)),
        )
        first += len(times)


@contextmanager
def readable_breakage(kind: str) -> Iterator[None]:
    """Turn pyarrow's errors about a file into InvalidInput of `file`."""
    try:
        yield
    except InvalidInput:
        raise
    # pyarrow raises any of these for a damaged file; the first line of the message has the reason.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise InvalidInput.of("file", f"its {kind} is broken: {reason}") from error


def _is_text(field: pa.Field) -> bool:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _times(column: pa.Array, dates: DateOrder, lines: NDArray[np.int64]) -> tuple[TimeColumn, dict[int, str]]:
    """Return Unix seconds, and why some are not times; a timestamp without a time zone is UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if not pa.types.is_timestamp(column.type):
        return read_times(_texts("time", column), dates, lines)
    ticks: NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy()
    times, reasons = times_of_ticks(ticks, column.type.unit)
    empty = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
    return times, reasons | dict.fromkeys(empty, "the time is empty")


def _seconds(column: pa.Array) -> TimeColumn:
    """Return the Unix seconds that contain the times, -1 for missing ones."""
    if not pa.types.is_timestamp(column.type):
        return floor_seconds(_texts("close_time", column))
    ticks: NDArray[np.int64] = (
        column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).fill_null(-1).to_numpy()
    )
    return ticks // 10**6


def _numbers(name: str, column: pa.Array) -> tuple[PriceColumn, dict[int, str]]:
    """Return doubles, and why some are not numbers.

    Types other than doubles are converted by their shortest decimal: a single-precision 0.1 becomes 0.1,
    which was meant, and not 0.10000000149.
    """
    if pa.types.is_float64(column.type) and not column.null_count:
        numbers: PriceColumn = column.to_numpy()
        if np.isfinite(numbers).all():
            return numbers, {}
    return read_numbers(name, _texts(name, column))


def _texts(name: str, column: pa.Array) -> pa.StringArray:
    """Return a column as text, as in CSV files, empty for missing values."""
    try:
        return column.cast(pa.string()).fill_null("")
    except pa.ArrowNotImplementedError as error:
        raise InvalidInput.of("file", f"its column {name} is of the type {column.type}") from error
