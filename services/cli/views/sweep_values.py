"""The values of a sweep's ranges as its tables show them: a name and a text for each value."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from backcast.backtest.v1 import execution_pb2
from backcast.backtest.v1.execution_pb2 import Execution
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1.backtest_service_pb2 import SweepBacktestsRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
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
_SIZES = ("equity_fraction", "quote_amount", "volatility_target")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A range of a sweep: its heading, and its values in words."""

    name: str
    values: tuple[str, ...]


def dimensions_of(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> list[Dimension]:
    """Return the dimensions of a sweep that has started, in the order of a combination's `value_indexes`."""
    settings = [
        Dimension(
            _NAMES.get(one.name, one.name.replace("_", " ")),
            tuple(_setting(value) or _USUAL.get(one.name, "") for value in one.values),
        )
        for one in request.execution_ranges
    ]
    intervals = tuple(tuple(Interval)[number - 1].value for number in request.intervals)
    first = [Dimension("interval", intervals)] if intervals else []
    if isinstance(request, SweepPortfoliosRequest):
        settings = [_with_equal_shares(one) if one.name == "size" else one for one in settings]
        own = [
            Dimension(one.name.replace("_", " "), tuple(_own(one.name, value) for value in one.values))
            for one in request.portfolio_ranges
        ]
        settings += own
    return [*first, *_parameters(request.ranges), *settings]


def fixed_execution(request: SweepBacktestsRequest | SweepPortfoliosRequest) -> Execution:
    """Return the execution without stops and size that have ranges, which are printed with their values."""
    execution = Execution()
    execution.CopyFrom(request.spec.execution)
    for one in request.execution_ranges:
        for name in _SIZES if one.name == "size" else (one.name,):
            execution.ClearField(name)  # type: ignore[arg-type]  # a field's name
    return execution


def _parameters(ranges: Iterable[ParameterRange]) -> list[Dimension]:
    return [
        Dimension(one.name, tuple(value.string_value or f"{value.number_value:g}" for value in one.values))
        for one in ranges
    ]


def _with_equal_shares(sizes: Dimension) -> Dimension:
    """Return sizes in words: where the execution names none, a portfolio has equal shares."""
    return Dimension(sizes.name, tuple("equal" if size == "100%" else size for size in sizes.values))


def _own(name: str, value: PortfolioSpec) -> str:
    """Return a value of a portfolio's own setting in words."""
    if not value.ListFields():
        return "default" if name in ("max_positions", "size") else "none"
    if name == "rank":
        # Imported here, because importing the engine is slow.
        from backcast_engine.rules.text import text
        from services.wire.expressions import expression_from

        return text(expression_from(value.rank, "rank"))
    if name == "rebalancing":
        threshold = value.rebalancing.threshold
        return f"every {value.rebalancing.every}" + (f" from {percent(threshold)} on" if threshold else "")
    return f"{value.max_positions}" if name == "max_positions" else ("", "equal", "execution")[value.size]


def _setting(value: Execution) -> str:
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
