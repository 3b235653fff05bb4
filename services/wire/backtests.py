"""Conversion of the parameters of a backtest: strategy, execution, detail.

A message and its dataclass have the same field names, so one function serves all strategies.
"""

import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from enum import IntEnum, StrEnum
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from backcast.backtest.v1 import execution_pb2, result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.expression_pb2 import Expression as ExpressionMessage
from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast_engine import METRIC_NAMES, STRATEGIES, Detail, Strategy, Window
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.execution import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
)
from backcast_engine.interval import Interval
from backcast_engine.parameters import parameters_of
from backcast_engine.rules import Expression, Number
from services.wire.candles import interval_to, timestamp_to
from services.wire.enum_names import names_of, numbers_of
from services.wire.expressions import expression_to, read_expression

# The first name in the path of a field: that of `strategies[0].weight` is `strategies`.
_FIRST_NAME = re.compile(r"\w*")


@contextmanager
def spec_fields_named(spec: type[Message] = BacktestSpec) -> Iterator[None]:
    """Let an InvalidInput name the fields of a request's `spec` by their whole path: `spec.start_time`.

    Functions that read and check a backtest or a portfolio name its fields without the message `spec` that
    embeds it.
    """
    names = spec.DESCRIPTOR.fields_by_name
    try:
        yield
    except InvalidInput as error:
        raise type(error)(*(_in_request(each, names) for each in error.violations)) from None


def _in_request(violation: Violation, names: Container[str]) -> Violation:
    first = _FIRST_NAME.match(violation.field)
    if first and first[0] in names:
        return Violation(f"spec.{violation.field}", violation.reason)
    return violation


def spec_to(strategy: Strategy, interval: Interval, window: Window, execution: Execution) -> BacktestSpec:
    """Return the message of a backtest, every field set."""
    return BacktestSpec(
        strategy=strategy_to(strategy),
        interval=interval_to(interval),
        start_time=timestamp_to(window.start_s),
        end_time=timestamp_to(window.end_s),
        execution=execution_to(execution),
    )


def detail_from(value: int) -> Detail:
    """Return the detail of an enum value; metrics if it is unspecified."""
    if value == result_pb2.DETAIL_UNSPECIFIED:
        return Detail.METRICS
    if value not in result_pb2.Detail.values():
        raise InvalidInput.of("detail", f"there is no detail {value}")
    return Detail(value)


def detail_to(detail: Detail) -> result_pb2.Detail.ValueType:
    """Return the enum value of a detail; both have the same numbers."""
    return result_pb2.Detail.ValueType(detail.value)


def metric_from(value: int) -> str:
    """Return the name of a metric; empty where it is unspecified."""
    if value == result_pb2.METRIC_UNSPECIFIED:
        return ""
    if value not in result_pb2.Metric.values():
        raise InvalidInput.of("metric", f"there is no metric {value}")
    return METRIC_NAMES[value - 1]


def metric_to(name: str) -> result_pb2.Metric.ValueType:
    """Return the enum value of a metric: the numbers are those of the fields of Metrics, in their order."""
    return result_pb2.Metric.ValueType(METRIC_NAMES.index(name) + 1)


_USUAL = Execution()
# Enums with the same numbers in messages and domain.
_EXECUTION_CHOICES: dict[str, type[IntEnum]] = {
    "fill_time": FillTime,
    "direction": Direction,
    "break_rule": BreakRule,
}


def read_execution(
    message: execution_pb2.Execution, violations: Violations, path: str = "execution"
) -> Execution:
    """Return the execution at `path`, with defaults for what is absent or cannot be read.

    Ranges are not checked.
    """
    given = {
        field.name: violations.read(
            getattr(_USUAL, field.name), _execution_value, field, value, f"{path}.{field.name}"
        )
        for field, value in message.ListFields()
    }
    return Execution(**given)


def _execution_value(field: FieldDescriptor, value: Any, path: str) -> Any:
    if field.enum_type:
        return _EXECUTION_CHOICES[field.name](_known(field.enum_type, value, path))
    if isinstance(value, execution_pb2.Distance):
        kind = value.WhichOneof("kind")
        if kind is None:
            raise InvalidInput.of(path, "needs a fraction or an atr_multiple")
        return Distance(**{kind: getattr(value, kind)})
    if isinstance(value, execution_pb2.VolatilityTarget):
        given = {part.name: part_value for part, part_value in value.ListFields()}
        return VolatilityTarget(**{"annual_volatility": 0.0, **given})
    return value


def execution_to(execution: Execution) -> execution_pb2.Execution:
    """Return the message of an execution, with every field set."""
    message = execution_pb2.Execution(
        fee_rate=execution.fee_rate,
        slippage_bps=execution.slippage_bps,
        initial_capital=execution.initial_capital,
        fill_time=execution_pb2.FillTime.ValueType(execution.fill_time),
        direction=execution_pb2.Direction.ValueType(execution.direction),
        atr_period=execution.atr_period,
        borrow_rate=execution.borrow_rate,
        break_rule=execution_pb2.BreakRule.ValueType(execution.break_rule),
        funding_rate=execution.funding_rate,
        allow_high_costs=execution.allow_high_costs,
    )
    if execution.quote_amount is not None:
        message.quote_amount = execution.quote_amount
    elif target := execution.volatility_target:
        message.volatility_target.annual_volatility = target.annual_volatility
        message.volatility_target.period = target.period
    else:
        message.equity_fraction = execution.equity_fraction
    for name, distance in execution.distances:
        getattr(message, name).CopyFrom(
            execution_pb2.Distance(fraction=distance.fraction, atr_multiple=distance.atr_multiple)  # type: ignore[arg-type]  # one is None, which sets nothing
        )
    return message


def strategy_from(message: StrategyMessage) -> Strategy:
    """Return the strategy, with defaults for absent values; raise InvalidInput, naming every bad field."""
    violations = Violations()
    strategy = read_strategy(message, violations)
    if strategy:
        violations.add(*strategy.violations())
    violations.raise_if_any()
    assert strategy
    return strategy


def read_strategy(message: StrategyMessage, violations: Violations) -> Strategy | None:
    """Return the strategy, with defaults for absent values; None where the message does not say which.

    Ranges are not checked. Something stands for what cannot be read, so that they can be.
    """
    name = message.WhichOneof("kind")
    if name is None:
        violations.add(Violation("strategy", f"is required: one of {', '.join(STRATEGIES)}"))
        return None
    strategy = STRATEGIES[name]
    given: dict[str, Any] = {}
    for field, value in getattr(message, name).ListFields():
        path = f"strategy.{name}.{field.name}"
        if isinstance(value, ExpressionMessage):
            given[field.name] = read_expression(value, path, violations)
        elif field.enum_type:
            declared = {parameter.name: parameter for parameter in parameters_of(strategy)}[field.name]
            number = violations.read(None, _known, field.enum_type, value, path)
            given[field.name] = (
                declared.default if number is None else declared.type(names_of(field.enum_type)[number])
            )
        else:
            given[field.name] = value
    for declared_field in fields(strategy):
        if declared_field.default is MISSING and declared_field.name not in given:
            violations.add(Violation(f"strategy.{name}.{declared_field.name}", "is required"))
            # Only conditions have no default.
            given[declared_field.name] = Number(0)
    return strategy(**given)


def strategy_to(strategy: Strategy) -> StrategyMessage:
    """Return the message of a strategy, with every parameter set."""
    message = StrategyMessage()
    kind = getattr(message, strategy.name)
    kind.SetInParent()
    for field in fields(strategy):
        value = getattr(strategy, field.name)
        if isinstance(value, Expression):
            getattr(kind, field.name).CopyFrom(expression_to(value))
        elif isinstance(value, StrEnum):
            setattr(kind, field.name, numbers_of(kind.DESCRIPTOR.fields_by_name[field.name].enum_type)[value])
        elif value is not None:
            setattr(kind, field.name, value)
    return message


def _known(enum: EnumDescriptor, number: int, path: str) -> int:
    """Check the number of an enum value; UNSPECIFIED never gets here, because it counts as absent."""
    names = names_of(enum)
    if number not in names:
        raise InvalidInput.of(path, f"must be one of {', '.join(names.values())}, not {number}")
    return number
