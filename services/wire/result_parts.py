"""Results that are too long for one message: cut into parts, and joined again.

A part is a message of the result's type. The first one has everything but the rest of the lists; each other
one has further elements of the lists, and the symbol of the crypto where there is one. Protobuf's merge
appends lists, so the parts, merged in order, are the result.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message

from backcast.backtest.v1.result_pb2 import BacktestResult

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse

_Message = TypeVar("_Message", bound=Message)

# Most bytes of the lists in one message, so that it stays below 1 MiB: by default, gRPC's clients take up to
# 4 MiB.
_MOST_BYTES = 1_000_000
# A result of no more bytes has few elements: an element takes at least 2 bytes.
_SHORT_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class MessageList:
    """A list of a message that may be long, or columns of one length; each is named by its path.

    An element, or one of each column, has at most `element_bytes` bytes, its tag and length included.
    """

    paths: tuple[str, ...]
    element_bytes: int


_LISTS = (
    MessageList(("trades",), 130),
    MessageList(tuple(f"equity_curve.{column}" for column in ("open_time_s", "equity", "drawdown")), 26),
    MessageList(("monthly_returns",), 20),
    MessageList(("breaks",), 50),
    MessageList(("parts",), 220),
)


def result_parts(result: BacktestResult) -> Iterator[BacktestResult]:
    """Yield the parts of a result, each shorter than 1 MiB; a result that is no longer is its only part."""
    yield from cut(result, _LISTS, BacktestResult(symbol=result.symbol))


def cut(
    message: _Message, lists: Sequence[MessageList], beginning: _Message | None = None
) -> Iterator[_Message]:
    """Yield the parts of a message, each shorter than 1 MiB; merged in order, they are the message.

    The first one has everything but the rest of `lists`; each other one has the fields of `beginning`, and
    further elements of the lists.
    """
    if message.ByteSize() <= _SHORT_BYTES:
        yield message
        return
    lengths = [len(_list(message, each.paths[0])) for each in lists]
    if sum(length * each.element_bytes for length, each in zip(lengths, lists, strict=True)) <= _MOST_BYTES:
        yield message
        return
    part, room = _without(message, lists), _MOST_BYTES
    for each, length in zip(lists, lengths, strict=True):
        start = 0
        while start < length:
            if room < each.element_bytes:
                yield part
                part, room = type(message)(), _MOST_BYTES
                if beginning is not None:
                    part.CopyFrom(beginning)
            stop = min(length, start + room // each.element_bytes)
            for path in each.paths:
                _list(part, path).extend(_list(message, path)[start:stop])
            room -= (stop - start) * each.element_bytes
            start = stop
    yield part


def _list(message: Message, path: str) -> Any:
    found: Any = message
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _without(message: _Message, lists: Sequence[MessageList]) -> _Message:
    """Return a copy of a message without the fields that have its lists."""
    names = {path.partition(".")[0] for each in lists for path in each.paths}
    first = type(message)()
    for field, value in message.ListFields():
        if field.name in names:
            continue
        if field.message_type:
            getattr(first, field.name).CopyFrom(value)
        else:
            setattr(first, field.name, value)
    return first


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
