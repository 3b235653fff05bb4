"""Conversion of requests about candles to domain types."""

import re
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from backcast.marketdata.v1 import interval_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.store.asked_hours import Fetched
from services.domain.conflict_rule import ConflictRule
from services.wire.candles import COLUMN_VALUES, time_from

_SOURCE = re.compile("[a-z0-9]{1,32}")

_CONFLICT_RULES = {
    pb.CONFLICT_RULE_UNSPECIFIED: ConflictRule.GUARDED,
    pb.CONFLICT_RULE_REPLACE: ConflictRule.REPLACE,
    pb.CONFLICT_RULE_KEEP: ConflictRule.KEEP,
    pb.CONFLICT_RULE_FAIL: ConflictRule.FAIL,
}


def before_time_from(request: pb.ListCryptosRequest) -> int | None:
    """Return the time before which the fingerprint is requested; None if it is not."""
    return time_from(request.before_time, "before_time") if request.HasField("before_time") else None


def after_time_from(request: pb.UpdateBreakRequest) -> int:
    """Return the opening time of the candle after a break; raise InvalidInput if it is missing."""
    if not request.HasField("after_time"):
        raise InvalidInput.of("after_time", "is needed")
    after_s = time_from(request.after_time, "after_time")
    if request.after_time.nanos or after_s % Interval.HOUR_1.seconds:
        raise InvalidInput.of("after_time", "is not a full hour")
    return after_s


def window_from(request: pb.GetCandlesRequest | pb.StreamCandlesRequest) -> tuple[int, int]:
    """Return the window's first second and its exclusive end; a side that is not given is open."""
    start_s, end_s = EARLIEST_S, LATEST_S
    violations = Violations()
    if request.HasField("start_time"):
        start_s = violations.read(start_s, time_from, request.start_time, "start_time")
    if request.HasField("end_time"):
        end_s = violations.read(end_s, time_from, request.end_time, "end_time")
    violations.raise_if_any()
    if request.HasField("start_time") and request.HasField("end_time") and start_s >= end_s:
        raise InvalidInput.of("start_time", "must be before end_time")
    return start_s, end_s


def columns_from(values: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the requested columns, in the order of candles; all if none is requested."""
    wanted = set(values)
    violations = Violations()
    for position, value in enumerate(values):
        if value not in COLUMN_VALUES.values():
            violations.add(Violation(f"columns[{position}]", f"there is no column {value}"))
    violations.raise_if_any()
    return tuple(name for name in VALUE_COLUMNS if not wanted or COLUMN_VALUES[name] in wanted)


def check_hourly(interval: int) -> None:
    """Raise InvalidInput if the interval of an import is not one hour."""
    if interval not in (interval_pb2.INTERVAL_UNSPECIFIED, interval_pb2.INTERVAL_1H):
        raise InvalidInput.of("header.interval", "only hourly candles are stored; others derive from them")


def fetched_from(header: pb.ImportHeader) -> Fetched | None:
    """Return where an import was fetched from; None if it was not. Raises InvalidInput if fields are bad."""
    if not header.source and not header.HasField("asked_hours"):
        return None
    violations = Violations()
    source = violations.read("", source_from, header.source, "header.source")
    if header.synthetic:
        violations.add(Violation("header.synthetic", "generated candles are not fetched"))
    start_s = violations.read(0, hour_from, header.asked_hours.start_time, "header.asked_hours.start_time")
    end_s = violations.read(0, hour_from, header.asked_hours.end_time, "header.asked_hours.end_time")
    violations.raise_if_any()
    if start_s >= end_s:
        raise InvalidInput.of("header.asked_hours.start_time", "must be before end_time")
    return Fetched(source, start_s, end_s)


def source_from(name: str, field: str) -> str:
    """Return the name of an exchange; raise InvalidInput if it cannot be one."""
    if not _SOURCE.fullmatch(name):
        raise InvalidInput.of(field, "1 to 32 letters a to z and digits are needed")
    return name


def hour_from(message: Timestamp, field: str) -> int:
    """Return the opening time of an hour in Unix seconds; raise InvalidInput if it is none."""
    time_s = time_from(message, field)
    if message.nanos or time_s % Interval.HOUR_1.seconds:
        raise InvalidInput.of(field, "is not a full hour")
    return time_s


def conflict_rule_from(value: int) -> ConflictRule:
    """Return the rule of an enum value."""
    if value not in _CONFLICT_RULES:
        raise InvalidInput.of("header.on_conflict", f"there is no rule {value}")
    return _CONFLICT_RULES[pb.ConflictRule.ValueType(value)]
