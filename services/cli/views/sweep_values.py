"""The values of a sweep's ranges as its tables show them: a name and a text for each value."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.sweep_pb2 import ExecutionRange, ParameterRange
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest
from backcast_engine.interval import Interval
from services.cli.views.request import percent
from services.wire.enum_names import names_of

_NAMES = {"fee_rate": "fee", "slippage_bps": "slippage", "fill_time": "fill", "atr_period": "ATR period"}
_PERCENT = frozenset(("fee_rate", "borrow_rate", "funding_rate", "equity_fraction"))
_WORDS = {"LONG_ONLY": "long", "SHORT_ONLY": "short"}
# What an execution that leaves a setting out has.
_USUAL = {
    **dict.fromkeys(("stop_loss", "take_profit", "trailing_stop"), "none"),
    "size": "100%",
}


@dataclass(frozen=True, slots=True)
class Dimension:
    """A range of a sweep: its heading, and its values in words."""

    name: str
    values: tuple[str, ...]


def dimensions_of(request: SweepBacktestsRequest) -> list[Dimension]:
    """Return the dimensions of a sweep that has started, in the order of a combination's `value_indexes`."""
    intervals = tuple(tuple(Interval)[number - 1].value for number in request.intervals)
    first = [Dimension("interval", intervals)] if intervals else []
    return first + range_dimensions(request.ranges, request.execution_ranges)


def range_dimensions(
    ranges: Iterable[ParameterRange], execution_ranges: Iterable[ExecutionRange]
) -> list[Dimension]:
    """Return the dimensions of ranges of parameters, then of ranges of the execution."""
    parameters = [
        Dimension(one.name, tuple(value.string_value or f"{value.number_value:g}" for value in one.values))
        for one in ranges
    ]
    settings = [
        Dimension(
            _NAMES.get(one.name, one.name.replace("_", " ")),
            tuple(_setting(value) or _USUAL.get(one.name, "") for value in one.values),
        )
        for one in execution_ranges
    ]
    return parameters + settings


def _setting(value: execution_pb2.Execution) -> str:
    """Return the only field that is set, in words; empty where none is."""
    for field, content in value.ListFields():
        if field.enum_type:
            name = names_of(field.enum_type)[content]
            return _WORDS.get(name, name.lower().replace("_", "-"))
        if isinstance(content, Message):
            return _message(content)
        if field.name in _PERCENT:
            return percent(content)
        return f"{content:,.15g}" + (" bps" if field.name == "slippage_bps" else "")
    return ""


def _message(content: Message) -> str:
    if isinstance(content, execution_pb2.Distance):
        return percent(content.fraction) if content.HasField("fraction") else f"{content.atr_multiple:g}atr"
    assert isinstance(content, execution_pb2.VolatilityTarget)
    return f"{percent(content.annual_volatility)} volatility"
