"""Conversion of the parameters of a sweep: ranges and windows."""

from collections.abc import Iterable
from enum import StrEnum

from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import sweep_pb2 as pb
from services.domain.errors import InvalidInput
from services.engine import Window
from services.engine.sweep import Grid, ParameterValues
from services.wire.candles import timestamp_to

# Names in the oneof of google.protobuf.Value.
_NUMBER, _TEXT = "number_value", "string_value"


def ranges_from(messages: Iterable[pb.ParameterRange]) -> list[ParameterValues]:
    """Return the ranges; raise InvalidInput for values that are neither numbers nor text."""
    return [
        ParameterValues(
            message.name,
            [
                _value_from(value, f"ranges[{index}].values[{position}]")
                for position, value in enumerate(message.values)
            ],
        )
        for index, message in enumerate(messages)
    ]


def ranges_to(grid: Grid) -> list[pb.ParameterRange]:
    """Return the ranges of a grid."""
    return [
        pb.ParameterRange(name=name, values=map(_value_to, values))
        for name, values in zip(grid.names, grid.values, strict=True)
    ]


def window_from(message: pb.Window) -> Window:
    """Return the window of a message, whose times are whole seconds."""
    return Window(message.start_time.seconds, message.end_time.seconds)


def window_to(window: Window) -> pb.Window:
    """Return the message of a window."""
    return pb.Window(start_time=timestamp_to(window.start_s), end_time=timestamp_to(window.end_s))


def _value_from(value: Value, field: str) -> float | str:
    kind = value.WhichOneof("kind")
    if kind == _NUMBER:
        return value.number_value
    if kind == _TEXT:
        return value.string_value
    raise InvalidInput.of(field, "must be a number, or the name of a choice")


def _value_to(value: float | StrEnum) -> Value:
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)
