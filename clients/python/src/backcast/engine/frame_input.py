"""Frames of pandas, Polars and Arrow, and dicts of arrays, as candles that are checked once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from backcast import quantities
from backcast.errors import InvalidRequestError
from backcast_engine.candle_rules import broken_values, off_grid
from backcast_engine.candles import VALUE_COLUMNS, Candles, PriceColumn, TimeColumn
from backcast_engine.interval import Interval
from backcast_engine.near_names import did_you_mean
from backcast_engine.times import EARLIEST_S, LATEST_S, utc

_TIMES = ("time", "open_time", "date", "datetime", "timestamp")
# Whole numbers are times in these units, per second, from 1973 to 5138; others could be anything.
_UNITS = {1: "seconds", 1_000: "milliseconds", 1_000_000: "microseconds", 1_000_000_000: "nanoseconds"}
_FIRST_NUMBER, _RANGE = 10**8, 1_000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame says: candles in order, of one length, without a column of volume if it has none.

    `library` is that of the frame (numpy for a dict), `symbol` what its column of symbols has, or empty, and
    `index` the index of a frame of pandas, or None.
    """

    candles: Candles
    interval: Interval
    library: str
    symbol: str
    index: Any


def read_frame(frame: Any, interval: Interval | None) -> Frame:
    """Return the candles of a frame; without `interval`, their length is the shortest step of their times.

    The columns open, high, low, close and, if there is one, volume can be written in any case. Times are
    opening times, UTC where they have no zone: the index, or a column with one of the usual names. Raises
    InvalidRequestError with the first row that is wrong.
    """
    library, columns, index = _columns(frame)
    by_name: dict[str, Callable[[], Any]] = {}
    for name, column in columns:
        plain = str(name).strip().lower().replace(" ", "_")
        if plain in by_name and plain in (*VALUE_COLUMNS, *_TIMES):
            raise _refusal(f"has two columns called {plain}")
        by_name.setdefault(plain, column)
    symbol = _symbol(by_name)
    times = _times(_time_values(by_name, index))
    values = {name: _numbers(by_name, name, len(times)) for name in VALUE_COLUMNS}
    _check_order(times)
    length = interval or _interval(times)
    candles = Candles(times, **values)
    _check_rules(candles, length)
    return Frame(candles, length, library, symbol, index)


def _refusal(reason: str) -> InvalidRequestError:
    return InvalidRequestError.of("frame", reason)


def _columns(frame: Any) -> tuple[str, Iterable[tuple[Any, Callable[[], Any]]], Any]:
    """Return the library of a frame, its columns by name, and the index of a frame of pandas."""
    library = type(frame).__module__.partition(".")[0]
    match library, type(frame).__name__:
        case "pandas", "DataFrame":
            names = enumerate(frame.columns)
            found = [(name, partial(_of_pandas, frame.iloc[:, place])) for place, name in names]
            return library, found, frame.index
        case "polars", "DataFrame":
            return library, [(name, frame.get_column(name).to_numpy) for name in frame.columns], None
        case "polars", "LazyFrame":
            raise _refusal("is lazy: give frame.collect()")
        case "pyarrow", "Table" | "RecordBatch":
            columns = zip(frame.schema.names, frame.columns, strict=True)
            return library, [(name, partial(_of_arrow, column)) for name, column in columns], None
    if isinstance(frame, Mapping):
        return "numpy", [(name, partial(_of_any, column)) for name, column in frame.items()], None
    raise _refusal(f"{type(frame).__name__} is no frame of pandas, Polars or Arrow, and no dict of arrays")


def _of_pandas(column: Any) -> Any:
    # Times with a zone would become Python's objects.
    return column.to_numpy("datetime64[us]") if getattr(column.dtype, "tz", None) else column.to_numpy()


def _of_arrow(column: Any) -> Any:
    return column.to_numpy(zero_copy_only=False)


def _of_any(column: Any) -> Any:
    library, kind = type(column).__module__.partition(".")[0], type(column).__name__
    if library == "pandas":
        return _of_pandas(column)
    if library == "pyarrow":
        return _of_arrow(column)
    if library == "polars" and kind == "Series":
        return column.to_numpy()
    return array_of(column, "frame")


def array_of(values: Any, name: str) -> Any:
    """Return an array; raise InvalidRequestError, with the name of the argument, for what is none."""
    if np.ma.is_masked(values):
        raise InvalidRequestError.of(name, "has masked values: leave their rows out")
    try:
        return np.asarray(values)
    except ValueError:
        raise InvalidRequestError.of(name, "has lists of several lengths, which are no array") from None


def _time_values(columns: Mapping[str, Callable[[], Any]], index: Any) -> Any:
    found = [name for name in _TIMES if name in columns]
    if len(found) > 1:
        raise _refusal(f"has several columns of times, {' and '.join(found)}: leave one")
    if found:
        return columns[found[0]]()
    is_of_times = index is not None and (
        getattr(index.dtype, "kind", "") == "M" or str(index.name).lower() in _TIMES
    )
    if not is_of_times:
        raise _refusal(f"has no times: give them as the index, or as a column called {' or '.join(_TIMES)}")
    return _of_pandas(index)


def _times(values: Any) -> TimeColumn:
    """Return opening times as int64 Unix seconds."""
    if values.ndim != 1:
        raise _refusal("time: must be one column")
    if not len(values):
        raise _refusal("has no rows")
    match values.dtype.kind:
        case "M":
            numbers, per_second = values.astype("datetime64[us]").astype(np.int64), 1_000_000
            missing = np.isnat(values)
            if missing.any():
                raise _refusal(f"row {int(np.argmax(missing))}: has no time")
        case "i" | "u" | "f":
            numbers, per_second = _whole(values)
        case "O" | "U" | "T":
            numbers, per_second = _read_each(values), 1_000_000
        case _:
            raise _refusal(f"time: {values.dtype} is no type of times")
    seconds, rest = np.divmod(numbers, per_second)
    is_out = (seconds < EARLIEST_S) | (seconds > LATEST_S)
    if is_out.any():
        raise _refusal(f"row {int(np.argmax(is_out))}: its time is not in the years 1 to 9999")
    if rest.any():
        row = int(np.argmax(rest != 0))
        raise _refusal(f"row {row}: its time has a fraction of a second: times are opening times")
    return np.ascontiguousarray(seconds)


def _whole(values: Any) -> tuple[Any, int]:
    """Return numbers that are times as int64, and how many of them are a second."""
    if values.dtype.kind == "f":
        is_wrong = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**63))
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise _refusal(f"row {row}: {values[row]} is no time: give datetimes, or whole numbers")
    lowest, highest = int(values.min()), int(values.max())
    for place, per_second in enumerate(_UNITS):
        first = _FIRST_NUMBER * _RANGE**place
        if first <= lowest and highest < first * _RANGE:
            return values.astype(np.int64), per_second
    units = ", ".join(_UNITS.values())
    raise _refusal(f"time: numbers from {lowest} to {highest} are no Unix times since 1973 in one of {units}")


def _read_each(values: Any) -> Any:
    """Return texts and datetimes as int64 microseconds since 1970."""
    numbers = np.empty(len(values), np.int64)
    for row, value in enumerate(values.tolist()):
        try:
            numbers[row] = (quantities.time(value, "time") - _EPOCH) // _MICROSECOND
        except InvalidRequestError as error:
            raise _refusal(f"row {row}: {error}") from None
    return numbers


def _numbers(columns: Mapping[str, Callable[[], Any]], name: str, length: int) -> PriceColumn:
    if name not in columns:
        if name == "volume":
            return np.empty(0)
        hint = did_you_mean(name, columns, f"it has {', '.join(columns)}")
        raise _refusal(f"has no column {name}: {hint}")
    values = columns[name]()
    if values.shape != (length,):
        raise _refusal(f"{name} has the shape {values.shape}, and the times {(length,)}")
    match values.dtype.kind:
        case "f" if values.dtype.itemsize < 8:
            digits = np.finfo(values.dtype).precision
            raise _refusal(f"{name} is {values.dtype}, which has {digits} digits: read it as float64")
        case "f" | "i" | "u":
            return np.ascontiguousarray(values, np.float64)
        case "O":
            return np.array([_number(value, name, row) for row, value in enumerate(values)], np.float64)
        case "U" | "T":
            raise _refusal(f"{name} is text: read it as numbers")
        case _:
            raise _refusal(f"{name} is {values.dtype}: numbers are needed")


def _number(value: Any, name: str, row: int) -> float:
    try:
        return quantities.number(value, name)
    except InvalidRequestError as error:
        raise _refusal(f"row {row}: {error}") from None


def _symbol(columns: Mapping[str, Callable[[], Any]]) -> str:
    if "symbol" not in columns:
        return ""
    symbols = sorted({str(symbol) for symbol in np.asarray(columns["symbol"]())})
    if len(symbols) > 1:
        raise _refusal(f"has candles of {len(symbols)} cryptos: give those of one")
    return symbols[0]


def _check_order(times: TimeColumn) -> None:
    steps = np.diff(times)
    if (steps > 0).all():
        return
    row = 1 + int(np.argmax(steps <= 0))
    if steps[row - 1] == 0:
        raise _refusal(f"row {row}: {utc(int(times[row]))} is the time of two rows")
    raise _refusal(f"row {row}: {utc(int(times[row]))} is before the time above it: sort the frame by time")


def _interval(times: TimeColumn) -> Interval:
    if len(times) < 2:
        raise _refusal('has one row: say how long its candle is, as interval="1h"')
    shortest = int(np.diff(times).min())
    for interval in Interval:
        if interval.seconds == shortest:
            return interval
    known = ", ".join(interval.value for interval in Interval)
    raise _refusal(f"its candles are {shortest:,} seconds apart: the engine knows candles of {known}")


def _check_rules(candles: Candles, interval: Interval) -> None:
    grid = f"the time is no opening time of a candle of {interval.value} in UTC"
    for reason, broken in [(grid, off_grid(candles.open_time_s, interval)), *broken_values(candles)]:
        if broken.any():
            row = int(np.argmax(broken))
            raise _refusal(f"row {row}, {utc(int(candles.open_time_s[row]))}: {reason}")
