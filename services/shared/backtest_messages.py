"""Protobuf to domain and back, for what a backtest is asked with.

A strategy's message and its dataclass have the same field names, so one function serves them all.
"""

from enum import StrEnum
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.execution_pb2 import Execution as ExecutionMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from services.compute.engine import STRATEGIES, Detail, Execution, Strategy
from services.compute.engine.parameters import Choices, Parameter, parameters_of
from services.shared.errors import InvalidInput


def detail_from(value: int) -> Detail:
    """Return the detail of an enum value, the metrics where it is unspecified."""
    if value == result_pb2.DETAIL_UNSPECIFIED:
        return Detail.METRICS
    if value not in result_pb2.Detail.values():
        raise InvalidInput.of("detail", f"there is no detail {value}")
    return Detail(value)


def detail_to(detail: Detail) -> result_pb2.Detail.ValueType:
    """Return the enum value of a detail: the two have the same numbers."""
    return result_pb2.Detail.ValueType(detail.value)


def execution_from(message: ExecutionMessage) -> Execution:
    """Return the execution, with the defaults where the message has no value."""
    return Execution(**{field.name: value for field, value in message.ListFields()})


def execution_to(execution: Execution) -> ExecutionMessage:
    """Return the message of an execution, every field set."""
    return ExecutionMessage(
        fee_rate=execution.fee_rate,
        slippage_bps=execution.slippage_bps,
        initial_capital=execution.initial_capital,
    )


def strategy_from(message: StrategyMessage) -> Strategy:
    """Return the strategy, with the defaults where the message has no value. Ranges are not checked."""
    name = message.WhichOneof("kind")
    if name is None:
        raise InvalidInput.of("strategy", f"is required: one of {', '.join(STRATEGIES)}")
    kind = getattr(message, name)
    declared = {parameter.name: parameter for parameter in parameters_of(STRATEGIES[name])}
    given = {
        field.name: _choice_from(
            value, field.enum_type, declared[field.name], f"strategy.{name}.{field.name}"
        )
        if field.enum_type
        else value
        for field, value in kind.ListFields()
    }
    return STRATEGIES[name](**given)


def strategy_to(strategy: Strategy) -> StrategyMessage:
    """Return the message of a strategy, every parameter set."""
    message = StrategyMessage()
    kind = getattr(message, strategy.name)
    kind.SetInParent()
    for parameter in parameters_of(type(strategy)):
        value = getattr(strategy, parameter.name)
        if isinstance(value, StrEnum):
            enum = kind.DESCRIPTOR.fields_by_name[parameter.name].enum_type
            value = enum.values_by_name[_enum_prefix(enum) + value].number
        setattr(kind, parameter.name, value)
    return message


def _choice_from(number: int, enum: EnumDescriptor, parameter: Parameter, field: str) -> Any:
    """Return the domain's choice for an enum value; UNSPECIFIED never gets here, for it is the default."""
    assert isinstance(parameter.spec, Choices)
    value = enum.values_by_number.get(number)
    if value is None:
        raise InvalidInput.of(field, f"must be one of {', '.join(parameter.spec.options)}, not {number}")
    return parameter.spec.options(value.name.removeprefix(_enum_prefix(enum)))


def _enum_prefix(enum: EnumDescriptor) -> str:
    """Return what all names of an enum start with: EXIT_BAND_, as its UNSPECIFIED = 0 has it."""
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
