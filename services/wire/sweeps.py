"""Conversion of the parameters of a sweep: ranges of parameters and of settings, and windows."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import sweep_pb2 as pb
from backcast.backtest.v1.execution_pb2 import Execution as ExecutionMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast_engine import Window
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.sweep import SETTINGS, ParameterValues, SettingValues
from services.wire.backtests import execution_to, read_execution
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


def ranges_to(names: Iterable[str], values: Iterable[Iterable[Any]]) -> list[pb.ParameterRange]:
    """Return the ranges of parameters with these names and values."""
    return [
        pb.ParameterRange(name=name, values=map(_value_to, each))
        for name, each in zip(names, values, strict=True)
    ]


def read_execution_ranges(
    messages: Iterable[pb.ExecutionRange], violations: Violations
) -> list[SettingValues]:
    """Return the ranges of settings of the execution; a value must not set what is no part of its setting."""
    settings = []
    for index, message in enumerate(messages):
        fields = SETTINGS.get(message.name, ())
        values = []
        for position, value in enumerate(message.values):
            field = f"execution_ranges[{index}].values[{position}]"
            others = [each.name for each, _ in value.ListFields() if fields and each.name not in fields]
            if others:
                reason = f"is a value of {message.name}, and {' and '.join(others)} cannot be set in it"
                violations.add(Violation(field, reason))
            values.append(read_execution(value, violations, field))
        settings.append(SettingValues(message.name, tuple(values)))
    return settings


def execution_ranges_to(settings: Iterable[SettingValues]) -> list[pb.ExecutionRange]:
    """Return the ranges of settings."""
    return [pb.ExecutionRange(name=setting.name, values=_settings_to(setting)) for setting in settings]


def _settings_to(setting: SettingValues) -> Iterator[ExecutionMessage]:
    """Yield the messages of a setting's values, which have the setting's fields only."""
    for value in setting.values:
        whole, part = execution_to(value), ExecutionMessage()
        for field, content in whole.ListFields():
            if field.name not in SETTINGS[setting.name]:
                continue
            if field.message_type:
                getattr(part, field.name).CopyFrom(content)
            else:
                setattr(part, field.name, content)
        yield part


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


def _value_to(value: float | str) -> Value:
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)
