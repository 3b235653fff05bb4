"""The values that a sweep varies: their names, and which of them a combination has."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.enumerations import short_name
from backcast.errors import BackcastError, InvalidRequestError
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest

# Fields of a request that have ranges, and those in them.
_RANGE = re.compile(r"(\w*ranges|intervals)\[(\d+)\](?:\.values\[(\d+)\])?(?:\.\w+)*", re.ASCII)


class SweptValues:
    """The values of a request's dimensions: intervals, parameters, then options that have several."""

    def __init__(
        self,
        request: SweepBacktestsRequest | SweepPortfoliosRequest,
        options: Mapping[str, Sequence[Any]],
    ) -> None:
        """`options` are the values of the options that have several, in the order of the request's ranges."""
        given = dict(options)
        intervals = given.pop("interval", ())
        strategies = _strategies(request)
        # By name: a placeholder may have the name of an option.
        self._dimensions: list[tuple[str, list[Any]]] = [
            *([("interval", [str(one) for one in intervals])] if intervals else ()),
            *((one.name, _parameters(one, _field(one.name, strategies))) for one in request.ranges),
            *((name, _as_given(values)) for name, values in given.items()),
        ]
        settings = len(request.execution_ranges)
        self._arguments = {
            "ranges": [one.name for one in request.ranges],
            "execution_ranges": [*given][:settings],
            "portfolio_ranges": [*given][settings:],
        }

    @property
    def names(self) -> list[str]:
        """The names of what has several values, in the order of the dimensions."""
        return [name for name, _ in self._dimensions]

    def of(self, value_indexes: Sequence[int]) -> dict[str, Any]:
        """Return the values of a combination by name: numbers or texts; a stop, say, may be none."""
        pairs = zip(self._dimensions, value_indexes, strict=True)
        return {name: values[index] for (name, values), index in pairs}

    def columns(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return a column for each name, of messages that have `value_indexes`."""
        values = [self.of(item.value_indexes) for item in items]
        columns = {name: [one[name] for one in values] for name in self.names}
        return {
            name: column if any(isinstance(value, str) for value in column) else np.array(column)
            for name, column in columns.items()
        }

    def of_arguments(self, error: BackcastError) -> BackcastError:
        """Return an error that names arguments: period[1] for what the API calls ranges[0].values[1]."""
        if not isinstance(error, InvalidRequestError):
            return error
        violations = [replace(one, field=self._argument(one.field)) for one in error.violations]
        return InvalidRequestError(violations, reason=error.reason, metadata=error.metadata)

    def _argument(self, field: str) -> str:
        found = _RANGE.fullmatch(field)
        if found is None:
            return field
        kind, place, value = found.groups()
        if kind == "intervals":
            return f"interval[{place}]"
        return self._arguments[kind][int(place)] + (f"[{value}]" if value else "")


def _strategies(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> list[StrategyMessage]:
    if isinstance(request, SweepBacktestsRequest):
        return [request.spec.strategy]
    return [each.strategy for each in request.spec.strategies]


def _field(name: str, strategies: Sequence[StrategyMessage]) -> FieldDescriptor | None:
    """Return the field of a parameter in the first strategy that has it; a placeholder has none."""
    for strategy in strategies:
        kind = strategy.WhichOneof("kind")
        if kind and name in getattr(strategy, kind).DESCRIPTOR.fields_by_name:
            field: FieldDescriptor = getattr(strategy, kind).DESCRIPTOR.fields_by_name[name]
            return field
    return None


def _parameters(swept: ParameterRange, field: FieldDescriptor | None) -> list[Any]:
    """Return the values of a parameter: numbers of its type, or the names of choices."""
    if any(value.HasField("string_value") for value in swept.values):
        return [_choice(value.string_value, field) for value in swept.values]
    numbers = [value.number_value for value in swept.values]
    is_whole = field.type == field.TYPE_INT32 if field else all(map(float.is_integer, numbers))
    return list(map(int, numbers)) if is_whole else numbers


def _choice(text: str, field: FieldDescriptor | None) -> str:
    name = text.upper()
    if field is None or field.enum_type is None or name not in field.enum_type.values_by_name:
        return name
    return short_name(field.enum_type, field.enum_type.values_by_name[name].number)


def _as_given(values: Sequence[Any]) -> list[Any]:
    """Return the values of an option as given; without a stop, none among texts and NaN among numbers."""
    if any(isinstance(value, str) for value in values):
        return ["none" if value is None else str(value) for value in values]
    return [np.nan if value is None else value for value in values]
