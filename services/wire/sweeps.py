"""Conversion of the parameters of a sweep: ranges and windows."""

from collections.abc import Iterable
from enum import StrEnum

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import sweep_pb2 as pb
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast_engine import Window
from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.sweep import Grid, ParameterValues
from services.wire.candles import timestamp_to
from services.wire.enum_names import names_of, number_of

# Names in the oneof of google.protobuf.Value.
_NUMBER, _TEXT = "number_value", "string_value"


def read_ranges(
    messages: Iterable[pb.ParameterRange], strategy: StrategyMessage, violations: Violations
) -> list[ParameterValues]:
    """Return the ranges of a strategy's parameters, with empty names for what is no number and no name.

    Names of choices are those of the domain, however the message spells them; unknown ones stay as they are.
    """
    kind = strategy.WhichOneof("kind")
    fields = getattr(strategy, kind).DESCRIPTOR.fields_by_name if kind else {}
    ranges = []
    for index, message in enumerate(messages):
        parameter = fields.get(message.name)
        choices = parameter.enum_type if parameter else None
        values = [
            violations.read("", _value_from, value, choices, f"ranges[{index}].values[{position}]")
            for position, value in enumerate(message.values)
        ]
        ranges.append(ParameterValues(message.name, values))
    return ranges


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


def _value_from(value: Value, choices: EnumDescriptor | None, field: str) -> float | str:
    kind = value.WhichOneof("kind")
    if kind == _NUMBER:
        return value.number_value
    if kind == _TEXT:
        number = number_of(choices, value.string_value) if choices else None
        return value.string_value if choices is None or number is None else names_of(choices)[number]
    raise InvalidInput.of(field, "must be a number, or the name of a choice")


def _value_to(value: float | StrEnum) -> Value:
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)
