"""Results that are too long for one message: cut into parts, and joined again.

A part is a BacktestResult. The first one has everything but the rest of the lists; each other one has the
symbol and further elements of the lists. Protobuf's merge appends lists, so the parts, merged in order, are
the result.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backcast.backtest.v1.result_pb2 import BacktestResult

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse

# Most bytes of the lists in one message, so that it stays below 1 MiB: by default, gRPC's clients take up to
# 4 MiB.
_MOST_BYTES = 1_000_000
# A result of no more bytes has few elements: an element takes at least 2 bytes.
_SHORT_BYTES = 8_192
# How many bytes an element of each list has at most, its tag and length included.
_ELEMENT_BYTES = {
    "trades": 130,
    "equity_curve": 26,
    "monthly_returns": 20,
    "breaks": 50,
    "parts": 220,
}
_CURVE_COLUMNS = ("open_time_s", "equity", "drawdown")


def result_parts(result: BacktestResult) -> Iterator[BacktestResult]:
    """Yield the parts of a result, each shorter than 1 MiB; a result that is no longer is its only part."""
    if result.ByteSize() <= _SHORT_BYTES:
        yield result
        return
    lengths = {name: _length(result, name) for name in _ELEMENT_BYTES}
    if sum(length * _ELEMENT_BYTES[name] for name, length in lengths.items()) <= _MOST_BYTES:
        yield result
        return
    part, room = _without_lists(result), _MOST_BYTES
    for name, length in lengths.items():
        start = 0
        while start < length:
            if room < _ELEMENT_BYTES[name]:
                yield part
                part, room = BacktestResult(symbol=result.symbol), _MOST_BYTES
            stop = min(length, start + room // _ELEMENT_BYTES[name])
            _extend(part, result, name, slice(start, stop))
            room -= (stop - start) * _ELEMENT_BYTES[name]
            start = stop
    yield part


def _length(result: BacktestResult, name: str) -> int:
    return len(result.equity_curve.equity if name == "equity_curve" else getattr(result, name))


def _without_lists(result: BacktestResult) -> BacktestResult:
    first = BacktestResult()
    for field, value in result.ListFields():
        if field.name in _ELEMENT_BYTES:
            continue
        if field.message_type:
            getattr(first, field.name).CopyFrom(value)
        else:
            setattr(first, field.name, value)
    return first


def _extend(part: BacktestResult, result: BacktestResult, name: str, elements: slice) -> None:
    if name == "equity_curve":
        for column in _CURVE_COLUMNS:
            getattr(part.equity_curve, column).extend(getattr(result.equity_curve, column)[elements])
    else:
        getattr(part, name).extend(getattr(result, name)[elements])


def joined_parts(parts: Iterable[bytes]) -> BacktestResult:
    """Return the result whose parts, each serialized, are `parts`."""
    return BacktestResult.FromString(b"".join(parts))


class PartJoiner:
    """Joins the results of one stream of events."""

    def __init__(self) -> None:
        self._begun = BacktestResult()

    def joined(self, event: "RunBacktestsResponse") -> "RunBacktestsResponse | None":
        """Return an event with the whole result where it has the last part, None where parts are missing.

        An event without a part is returned as it is. A `result` discards what came before.
        """
        if event.HasField("result_continuation"):
            self._begun.MergeFrom(event.result_continuation)
            if event.result_continues:
                return None
            event.result.CopyFrom(self._begun)
            self._begun = BacktestResult()
        elif event.result_continues:
            self._begun = event.result
            return None
        return event
