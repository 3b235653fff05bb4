"""Conversion of requests about candles to domain types."""

from collections.abc import Sequence

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.domain.candles import VALUE_COLUMNS
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import InvalidInput
from services.domain.interval import Interval
from services.domain.times import EARLIEST_S, LATEST_S
from services.wire.candles import COLUMN_VALUES

_CONFLICT_RULES = {
    pb.CONFLICT_RULE_UNSPECIFIED: ConflictRule.GUARDED,
    pb.CONFLICT_RULE_REPLACE: ConflictRule.REPLACE,
    pb.CONFLICT_RULE_KEEP: ConflictRule.KEEP,
    pb.CONFLICT_RULE_FAIL: ConflictRule.FAIL,
}


def before_time_from(request: pb.ListCryptosRequest) -> int | None:
    """Return the time before which the fingerprint is requested; None if it is not."""
    if not request.HasField("before_time"):
        return None
    before_s = request.before_time.seconds + (request.before_time.nanos > 0)
    _check_time("before_time", before_s)
    return before_s


def after_time_from(request: pb.UpdateBreakRequest) -> int:
    """Return the opening time of the candle after a break; raise InvalidInput if it is missing."""
    if not request.HasField("after_time"):
        raise InvalidInput.of("after_time", "is needed")
    after_s = request.after_time.seconds
    _check_time("after_time", after_s)
    if request.after_time.nanos or after_s % Interval.HOUR_1.seconds:
        raise InvalidInput.of("after_time", "is not a full hour")
    return after_s


def window_from(request: pb.GetCandlesRequest | pb.StreamCandlesRequest) -> tuple[int, int]:
    """Return the window's first second and its exclusive end; a side that is not given is open."""
    start_s, end_s = EARLIEST_S, LATEST_S
    if request.HasField("start_time"):
        # Candles open at whole seconds, so a fraction is rounded up.
        start_s = request.start_time.seconds + (request.start_time.nanos > 0)
    if request.HasField("end_time"):
        end_s = request.end_time.seconds + (request.end_time.nanos > 0)
    for field, time_s in (("start_time", start_s), ("end_time", end_s)):
        _check_time(field, time_s)
    if request.HasField("start_time") and request.HasField("end_time") and start_s >= end_s:
        raise InvalidInput.of("start_time", "must be before end_time")
    return start_s, end_s


def _check_time(field: str, time_s: int) -> None:
    if not EARLIEST_S <= time_s <= LATEST_S:
        raise InvalidInput.of(field, "is not in the years 1 to 9999")


def columns_from(values: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the requested columns, in the order of candles; all if none is requested."""
    wanted = set(values)
    for position, value in enumerate(values):
        if value not in COLUMN_VALUES.values():
            raise InvalidInput.of(f"columns[{position}]", f"there is no column {value}")
    return tuple(name for name in VALUE_COLUMNS if not wanted or COLUMN_VALUES[name] in wanted)


def conflict_rule_from(value: int) -> ConflictRule:
    """Return the rule of an enum value."""
    if value not in _CONFLICT_RULES:
        raise InvalidInput.of("header.on_conflict", f"there is no rule {value}")
    return _CONFLICT_RULES[pb.ConflictRule.ValueType(value)]
