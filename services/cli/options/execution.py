"""Converts execution options, such as `--stop-loss 2atr --size-amount 1000`, to an Execution message.

Fractions are written as `0.1%`, `10bps` or `0.001`.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from backcast.backtest.v1 import execution_pb2 as pb
from backcast_engine.errors import InvalidInput
from backcast_engine.high_costs import HIGH_FEE_RATE, HIGH_SLIPPAGE_BPS
from services.cli.options.run_options import Direction, ExecutionOptions, Fill
from services.wire.enum_names import numbers_of

# A number and the unit of a fraction.
_WRITTEN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)\s*(%|bps?)?", re.ASCII | re.IGNORECASE)
_UNITS = {"%": Decimal("0.01"), "bps": Decimal("0.0001"), "bp": Decimal("0.0001"), None: Decimal(1)}

_Choice = TypeVar("_Choice", bound=StrEnum)

_SIZES = ("size_fraction", "size_amount", "size_volatility")
# Fields of the message that take numbers, and fields that take fractions.
_NUMBERS = {"initial_capital": "initial_capital", "quote_amount": "size_amount", "atr_period": "atr_period"}
_FRACTIONS = {
    "equity_fraction": "size_fraction",
    "borrow_rate": "borrow_rate",
    "funding_rate": "funding_rate",
}


@dataclass(frozen=True, slots=True)
class Fraction:
    """A fraction, and whether it was written with a unit."""

    value: Decimal
    has_unit: bool

    @property
    def percent(self) -> str:
        """The fraction in percent, without a unit."""
        return f"{float(100 * self.value):.15g}"


def parse_fraction(text: str) -> Fraction:
    """Parse a fraction; raise ValueError, with the reason, if the text is not one."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        comma = ", with a point and no comma" if "," in text else ""
        raise ValueError(f"{text!r} is not a fraction like 0.1%, 10bps or 0.001{comma}")
    number, unit = written.groups()
    return Fraction(Decimal(number) * _UNITS[unit.lower() if unit else None], unit is not None)


def fraction(text: str) -> float:
    """Return the value of a fraction like `5%`, `500bps` or `0.05`; raise ValueError if it is not one."""
    return float(parse_fraction(text).value)


def execution_message(options: ExecutionOptions) -> pb.Execution:
    """Return the message; options that were not given are not set.

    Raises InvalidInput, naming the option, if an option cannot be parsed. The gateway checks the ranges.
    """
    sizes = [name for name in _SIZES if getattr(options, name) is not None]
    if len(sizes) > 1:
        raise InvalidInput.of(
            option_name(sizes[1]), f"only one size can be given, and {option_name(sizes[0])} is given"
        )
    if options.volatility_period is not None and options.size_volatility is None:
        raise InvalidInput.of("--volatility-period", "needs --size-volatility")
    message = pb.Execution()
    _set_costs(message, options)
    for field, name in _NUMBERS.items():
        _set(message, field, _number(getattr(options, name), field, name), name)
    for field, name in _FRACTIONS.items():
        text = getattr(options, name)
        if text is not None:
            read = _fraction if name == "size_fraction" else _yearly
            setattr(message, field, float(read(text, name).value))
    if options.fill is not None:
        fill = _chosen(Fill, options.fill, "fill")
        message.fill_time = pb.FillTime.ValueType(numbers_of(pb.FillTime.DESCRIPTOR)[fill.name])
    if options.direction is not None:
        direction = _chosen(Direction, options.direction, "direction")
        number = numbers_of(pb.Direction.DESCRIPTOR)[direction.name]
        message.direction = pb.Direction.ValueType(number)
    if options.breaks is not None:
        number = numbers_of(pb.BreakRule.DESCRIPTOR)[options.breaks.name]
        message.break_rule = pb.BreakRule.ValueType(number)
    if options.size_volatility is not None:
        volatility = _yearly(options.size_volatility, "size_volatility")
        message.volatility_target.annual_volatility = float(volatility.value)
        _set(message.volatility_target, "period", options.volatility_period, "volatility_period")
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        text = getattr(options, name)
        if text is not None:
            getattr(message, name).CopyFrom(_distance(text, option_name(name)))
    return message


def _chosen(choices: type[_Choice], text: str, name: str) -> _Choice:
    try:
        return choices(text)
    except ValueError:
        raise InvalidInput.of(option_name(name), f"{text!r} is not one of {', '.join(choices)}") from None


def _number(value: float | str | None, field: str, name: str) -> float | None:
    """Return the number of an option; those that a sweep can vary are text."""
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput.of(option_name(name), f"{value!r} is not a number") from None
    if field == "atr_period":
        if not number.is_integer():
            raise InvalidInput.of(option_name(name), f"{value!r} is not a whole number")
        return int(number)
    return number


def _set_costs(message: pb.Execution, options: ExecutionOptions) -> None:
    """Set fee and slippage; high ones must be written with a unit, which allows them."""
    if options.fee is not None:
        fee = _fraction(options.fee, "fee")
        message.fee_rate = float(fee.value)
        if message.fee_rate > HIGH_FEE_RATE:
            _allow_high_cost(message, fee, options.fee, "fee")
    if options.slippage is not None and options.slippage_bps is not None:
        raise InvalidInput.of("--slippage-bps", "only one slippage can be given, and --slippage is given")
    text, name = options.slippage, "slippage"
    if options.slippage_bps is not None:
        text, name = options.slippage_bps, "slippage_bps"
    if text is None:
        return
    slippage = _fraction(text, name)
    if name == "slippage_bps" and not slippage.has_unit:
        slippage = Fraction(slippage.value / 10_000, has_unit=False)
    message.slippage_bps = float(10_000 * slippage.value)
    if message.slippage_bps > HIGH_SLIPPAGE_BPS:
        _allow_high_cost(message, slippage, text, name)


def _allow_high_cost(message: pb.Execution, cost: Fraction, text: str, name: str) -> None:
    if not cost.has_unit:
        number = text.strip()
        reason = f"{number} would be {cost.percent} %: write {cost.percent}% if that is meant"
        if name != "slippage_bps":
            reason += f", and {number}% or {float(100 * cost.value):.15g}bps if {number} percent is"
        raise InvalidInput.of(option_name(name), reason)
    message.allow_high_costs = True


def _yearly(text: str, name: str) -> Fraction:
    """Return an annual rate or volatility; one above 100 % must be written with a unit."""
    rate = _fraction(text, name)
    if abs(rate.value) > 1 and not rate.has_unit:
        number = text.strip()
        reason = f"{number} would be {rate.percent} % a year: write {rate.percent}% if that is meant"
        raise InvalidInput.of(option_name(name), f"{reason}, and {number}% if {number} percent is")
    return rate


def _fraction(text: str, name: str) -> Fraction:
    try:
        return parse_fraction(text)
    except ValueError as error:
        raise InvalidInput.of(option_name(name), str(error)) from None


def _set(message: pb.Execution | pb.VolatilityTarget, field: str, value: float | None, name: str) -> None:
    if value is None:
        return
    try:
        setattr(message, field, value)
    except ValueError:
        raise InvalidInput.of(option_name(name), f"{value} is out of range") from None


def _distance(text: str, option: str) -> pb.Distance:
    written = text.strip().lower()
    try:
        if written.endswith("atr"):
            return pb.Distance(atr_multiple=_plain_number(written.removesuffix("atr")))
        return pb.Distance(fraction=fraction(written))
    except ValueError:
        raise InvalidInput.of(option, f"{text!r} is not a distance like 5%, 0.05 or 2atr") from None


def _plain_number(text: str) -> float:
    number = parse_fraction(text)
    if number.has_unit:
        raise ValueError(f"{text!r} is not a number")
    return float(number.value)


def option_name(name: str) -> str:
    """Return the option of a field of ExecutionOptions."""
    return f"--{name.replace('_', '-')}"
