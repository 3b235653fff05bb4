"""Candles from batches of typed columns, as Arrow and Parquet hold them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.data.readers.candle_rows import CandleRows
from services.data.readers.close_time import CLOSE_TIME_NAMES, lengths_from
from services.data.readers.delimited import column_name
from services.data.readers.number_column import read_numbers
from services.data.readers.plain_csv import wanted_columns
from services.data.readers.symbol_column import SYMBOL_NAMES, only_symbol
from services.data.readers.text_rows import CANDLE_FIELDS, TIME_NAMES
from services.data.readers.time_column import floor_seconds, read_times, times_of_ticks
from services.shared.candles import Candles, PriceColumn, TimeColumn
from services.shared.errors import InvalidInput

# What pandas calls an index without a name.
_UNNAMED_INDEX = "__index_level_0__"


class WantedFields(NamedTuple):
    """The positions of time, open, high, low, close and volume, and then those of `others`.

    `others` are of `symbol` and `close_time` what a file has, in this order.
    """

    positions: list[int]
    others: tuple[str, ...]


def wanted_fields(schema: pa.Schema) -> WantedFields:
    """Return which columns are read.

    Names are those that headers of CSV files may have; without any, an index of timestamps that has no name
    is the time. Raises InvalidInput, naming the column, where one is missing or there twice.
    """
    names = [column_name(name) for name in schema.names]
    if not set(TIME_NAMES).intersection(names) and names.count(_UNNAMED_INDEX) == 1:
        index = names.index(_UNNAMED_INDEX)
        if pa.types.is_timestamp(schema.field(index).type):
            names[index] = "time"
    found = {
        other: next((name for name in spellings if names.count(name) == 1), None)
        for other, spellings in (("symbol", SYMBOL_NAMES), ("close_time", CLOSE_TIME_NAMES))
    }
    there = {other: name for other, name in found.items() if name}
    positions = [names.index(name) for name in (*wanted_columns(names), *there.values())]
    return WantedFields(positions, tuple(there))


def read_batches(batches: Iterable[Sequence[pa.Array]], others: tuple[str, ...]) -> Iterator[CandleRows]:
    """Yield the rows of batches, each the columns that `wanted_fields` tells, in that order."""
    first = 1
    for time, *values in batches:
        prices = values[: len(CANDLE_FIELDS) - 1]
        told = dict(zip(others, map(_plain, values[len(CANDLE_FIELDS) - 1 :]), strict=True))
        times, reasons = _times(_plain(time))
        columns: list[PriceColumn] = []
        for name, column in zip(CANDLE_FIELDS[1:], prices, strict=True):
            numbers, number_reasons = _numbers(name, _plain(column))
            columns.append(numbers)
            reasons = number_reasons | reasons
        yield CandleRows(
            lines=np.arange(first, first + len(times)),
            candles=Candles(times, *columns),
            reasons=reasons,
            symbol=only_symbol(_texts("symbol", told["symbol"])) if "symbol" in told else None,
            lengths_s=lengths_from(times, _seconds(told["close_time"])) if "close_time" in told else None,
        )
        first += len(times)


@contextmanager
def readable_breakage(kind: str) -> Iterator[None]:
    """Tell what pyarrow finds wrong with a file as InvalidInput of `file`."""
    try:
        yield
    except InvalidInput:
        raise
    # A file that is damaged makes pyarrow raise any of these; its first line tells what it is.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise InvalidInput.of("file", f"its {kind} is broken: {reason}") from error


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _times(column: pa.Array) -> tuple[TimeColumn, dict[int, str]]:
    """Return Unix seconds, and why some are none; a timestamp without a time zone is UTC."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if not pa.types.is_timestamp(column.type):
        return read_times(_texts("time", column))
    ticks: NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy()
    times, reasons = times_of_ticks(ticks, column.type.unit)
    empty = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
    return times, reasons | dict.fromkeys(empty, "the time is empty")


def _seconds(column: pa.Array) -> TimeColumn:
    """Return the Unix seconds that times lie in, -1 where there is none."""
    if not pa.types.is_timestamp(column.type):
        return floor_seconds(_texts("close_time", column))
    ticks: NDArray[np.int64] = (
        column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).fill_null(-1).to_numpy()
    )
    return ticks // 10**6


def _numbers(name: str, column: pa.Array) -> tuple[PriceColumn, dict[int, str]]:
    """Return doubles, and why some are none.

    Other types than doubles are read as the decimals that they are written as: that of a single-precision
    0.1 is 0.1, which people mean, and not 0.10000000149.
    """
    if pa.types.is_float64(column.type) and not column.null_count:
        numbers: PriceColumn = column.to_numpy()
        if np.isfinite(numbers).all():
            return numbers, {}
    return read_numbers(name, _texts(name, column))


def _texts(name: str, column: pa.Array) -> pa.StringArray:
    """Return a column as CSV files would write it, empty where there is no value."""
    try:
        return column.cast(pa.string()).fill_null("")
    except pa.ArrowNotImplementedError as error:
        raise InvalidInput.of("file", f"its column {name} is of the type {column.type}") from error
