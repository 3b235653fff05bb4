"""Converts options with several values, `--stop-loss 1%..5%:1%,none`, to ranges of a sweep's execution."""

import re
from dataclasses import replace

from backcast.backtest.v1.execution_pb2 import Execution
from backcast.backtest.v1.sweep_pb2 import ExecutionRange
from backcast_engine.errors import InvalidInput
from services.cli.options.execution import execution_message, option_name
from services.cli.options.parameter_ranges import steps
from services.cli.options.run_options import ExecutionOptions

# The options that can have several values, by the setting's name in the API.
SETTINGS = {
    "stop_loss": ("stop_loss",),
    "take_profit": ("take_profit",),
    "trailing_stop": ("trailing_stop",),
    "size": ("size_fraction", "size_amount", "size_volatility"),
    "direction": ("direction",),
    "fill_time": ("fill",),
    "fee_rate": ("fee",),
    "slippage_bps": ("slippage", "slippage_bps"),
    "borrow_rate": ("borrow_rate",),
    "funding_rate": ("funding_rate",),
    "atr_period": ("atr_period",),
}
NONE = "none"
_STOPS = frozenset(("--stop-loss", "--take-profit", "--trailing-stop"))
_UNIT = re.compile(r"(?<=[\d.])\s*(%|bps?|atr)", re.IGNORECASE)


def swept_execution(options: ExecutionOptions) -> tuple[Execution, list[ExecutionRange]]:
    """Return the execution of the options that have one value, and a range for each of the others.

    Raises InvalidInput, naming the option, if a value cannot be parsed. The gateway checks the values.
    """
    fixed, ranges, consents = options, [], False
    for setting, names in SETTINGS.items():
        values = [
            (name, value)
            for name in names
            if (text := getattr(options, name)) is not None
            for value in _values(text, option_name(name))
        ]
        if len(values) > 1:
            messages = [_message(options, name, value) for name, value in values]
            consents |= any(message.allow_high_costs for message in messages)
            for message in messages:
                message.ClearField("allow_high_costs")
            ranges.append(ExecutionRange(name=setting, values=messages))
        if len(values) > 1 or [value for _, value in values] == [NONE]:
            fixed = replace(fixed, **dict.fromkeys(names))
            if "size_volatility" in names and options.size_volatility is not None:
                fixed = replace(fixed, volatility_period=None)
    execution = execution_message(fixed)
    if consents:
        execution.allow_high_costs = True
    return execution, ranges


def _message(options: ExecutionOptions, name: str, value: str) -> Execution:
    """Return the execution that has one value of one option only."""
    if value == NONE:
        return Execution()
    period = options.volatility_period if name == "size_volatility" else None
    return execution_message(ExecutionOptions(**{name: value}, volatility_period=period))  # type: ignore[arg-type]  # a text


def _values(text: str, option: str) -> list[str]:
    """Return the values of a list, in which `first..last:step` stands for several."""
    values: list[str] = []
    for item in map(str.strip, text.split(",")):
        if not item:
            raise InvalidInput.of(option, f"a value is missing in {text!r}: commas stand between two of them")
        if item.lower() == NONE:
            if option not in _STOPS:
                raise InvalidInput.of(option, "cannot be none: only stops can")
            values.append(NONE)
        else:
            values += _expanded(item, option) if ".." in item else [item]
    return values


def _expanded(item: str, option: str) -> list[str]:
    """Return the values of `1%..5%:1%`; one unit is that of all of its numbers."""
    units = {unit.lower() for unit in _UNIT.findall(item)}
    if len(units) > 1:
        raise InvalidInput.of(option, f"{item!r} has different units: {' and '.join(sorted(units))}")
    unit = "".join(units)
    return [f"{number:.15g}{unit}" for number in steps(_UNIT.sub("", item), option)]
