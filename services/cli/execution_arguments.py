"""`--stop-loss 2atr --size-amount 1000` to an execution's message."""

from backcast.backtest.v1 import execution_pb2 as pb
from services.cli.fractions import fraction
from services.cli.run_options import ExecutionOptions
from services.shared.enum_names import numbers_of
from services.shared.errors import InvalidInput

_SIZES = ("size_fraction", "size_amount", "size_volatility")
# Numbers by their fields.
_FIELDS = {
    "fee_rate": "fee",
    "slippage_bps": "slippage_bps",
    "initial_capital": "initial_capital",
    "equity_fraction": "size_fraction",
    "quote_amount": "size_amount",
    "atr_period": "atr_period",
    "borrow_rate": "borrow_rate",
}


def execution_message(options: ExecutionOptions) -> pb.Execution:
    """Return the message; what is not given is left out of it.

    Raises InvalidInput, naming the option, where it cannot be read; ranges are the gateway's business.
    """
    sizes = [name for name in _SIZES if getattr(options, name) is not None]
    if len(sizes) > 1:
        raise InvalidInput.of(_option(sizes[1]), f"there is one size only, and {_option(sizes[0])} is given")
    if options.volatility_period is not None and options.size_volatility is None:
        raise InvalidInput.of("--volatility-period", "is of use with --size-volatility only")
    message = pb.Execution()
    for field, name in _FIELDS.items():
        _set(message, field, getattr(options, name), name)
    if options.fill is not None:
        message.fill_time = pb.FillTime.ValueType(numbers_of(pb.FillTime.DESCRIPTOR)[options.fill.name])
    if options.direction is not None:
        number = numbers_of(pb.Direction.DESCRIPTOR)[options.direction.name]
        message.direction = pb.Direction.ValueType(number)
    if options.breaks is not None:
        number = numbers_of(pb.BreakRule.DESCRIPTOR)[options.breaks.name]
        message.break_rule = pb.BreakRule.ValueType(number)
    if options.size_volatility is not None:
        message.volatility_target.annual_volatility = options.size_volatility
        _set(message.volatility_target, "period", options.volatility_period, "volatility_period")
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        text = getattr(options, name)
        if text is not None:
            getattr(message, name).CopyFrom(_distance(text, _option(name)))
    return message


def _set(message: pb.Execution | pb.VolatilityTarget, field: str, value: float | None, name: str) -> None:
    if value is None:
        return
    try:
        setattr(message, field, value)
    except ValueError:
        raise InvalidInput.of(_option(name), f"{value} is out of range") from None


def _distance(text: str, option: str) -> pb.Distance:
    written = text.strip().lower()
    try:
        if written.endswith("atr"):
            return pb.Distance(atr_multiple=float(written.removesuffix("atr")))
        return pb.Distance(fraction=fraction(written))
    except ValueError:
        raise InvalidInput.of(option, f"{text!r} is not a distance like 5%, 0.05 or 2atr") from None


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
