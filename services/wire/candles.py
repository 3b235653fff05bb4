"""Conversion of candles, intervals and times."""

from collections.abc import Iterable

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.marketdata.v1 import interval_pb2
from backcast.marketdata.v1.candle_columns_pb2 import CandleColumn, CandleColumns
from backcast.marketdata.v1.candle_columns_pb2 import PartialCandles as PartialCandlesMessage
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_ASKED_S, LATEST_S

_INTERVALS = {
    interval_pb2.INTERVAL_1H: Interval.HOUR_1,
    interval_pb2.INTERVAL_4H: Interval.HOUR_4,
    interval_pb2.INTERVAL_1D: Interval.DAY_1,
    interval_pb2.INTERVAL_1W: Interval.WEEK_1,
}
_INTERVAL_VALUES = {interval: value for value, interval in _INTERVALS.items()}

# By the names of Candles' columns.
COLUMN_VALUES = {name: CandleColumn.Value(f"CANDLE_COLUMN_{name.upper()}") for name in VALUE_COLUMNS}

NO_PARTIAL_CANDLES = PartialCandles.none()

# Six columns of 8 bytes: 960 kB, so that a message stays below 1 MiB.
BLOCK_CANDLES = 20_000


def interval_from(value: int, field: str = "interval") -> Interval:
    """Return the interval of an enum value; one hour if it is unspecified."""
    if value == interval_pb2.INTERVAL_UNSPECIFIED:
        return Interval.HOUR_1
    if value not in _INTERVALS:
        raise InvalidInput.of(field, f"there is no interval {value}")
    return _INTERVALS[interval_pb2.Interval.ValueType(value)]


def interval_to(interval: Interval) -> interval_pb2.Interval.ValueType:
    """Return the enum value of an interval."""
    return _INTERVAL_VALUES[interval]


def time_from(message: Timestamp, field: str) -> int:
    """Return a time of a request in Unix seconds; raise InvalidInput where it is none.

    Candles open at full seconds, so a fraction is rounded up: the same candles are before and after it.
    """
    if not (EARLIEST_ASKED_S <= message.seconds <= LATEST_S and 0 <= message.nanos < 1_000_000_000):
        raise InvalidInput.of(field, "is not a time in the years 2 to 9999: the year 1 has unset times")
    return message.seconds + (message.nanos > 0)


def timestamp_to(time_s: int) -> Timestamp:
    """Return Unix seconds as a Timestamp."""
    return Timestamp(seconds=time_s)


def columns_to(names: Iterable[str]) -> list[CandleColumn.ValueType]:
    """Return the enum values of columns."""
    return [COLUMN_VALUES[name] for name in names]


def candles_from(
    columns: CandleColumns, field: str = "columns", wanted: tuple[str, ...] = VALUE_COLUMNS
) -> Candles:
    """Return a block's candles, without copying; columns besides the time and `wanted` are left empty.

    Raises InvalidInput if a column is not a multiple of 8 bytes, or the columns have different lengths.
    """
    try:
        open_time_s = np.frombuffer(columns.open_time_s, "<i8")
        values = {
            name: np.frombuffer(getattr(columns, name) if name in wanted else b"", "<f8")
            for name in VALUE_COLUMNS
        }
    except ValueError:
        raise InvalidInput.of(field, "a column's size is not a multiple of 8 bytes") from None
    if any(len(values[name]) != len(open_time_s) for name in wanted):
        raise InvalidInput.of(field, "the columns have different lengths")
    return Candles(open_time_s, **values)


def candles_to(candles: Candles) -> CandleColumns:
    """Return a block of candles as packed columns."""
    return CandleColumns(
        open_time_s=candles.open_time_s.astype("<i8").tobytes(),
        open=candles.open.astype("<f8").tobytes(),
        high=candles.high.astype("<f8").tobytes(),
        low=candles.low.astype("<f8").tobytes(),
        close=candles.close.astype("<f8").tobytes(),
        volume=candles.volume.astype("<f8").tobytes(),
    )


def partial_candles_from(message: PartialCandlesMessage) -> PartialCandles:
    """Return the longer candles that miss hours; raise InvalidInput if the columns differ in length."""
    if not message.open_time_s and not message.hours:
        return NO_PARTIAL_CANDLES
    if len(message.open_time_s) != len(message.hours):
        raise InvalidInput.of("partial_candles", "the columns have different lengths")
    return PartialCandles(np.array(message.open_time_s, np.int64), np.array(message.hours, np.int64))


def partial_candles_to(partial: PartialCandles) -> PartialCandlesMessage:
    """Return the message of longer candles that miss hours."""
    return PartialCandlesMessage(open_time_s=partial.open_time_s.tolist(), hours=partial.hours.tolist())
