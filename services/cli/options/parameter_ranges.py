"""Converts `period=5..30`, `oversold=20..40:5` and `kind=sma,ema` to the parameter ranges of a sweep."""

from dataclasses import fields
from decimal import Decimal, InvalidOperation

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast_engine.errors import InvalidInput
from services.cli.options.run_options import ExecutionOptions
from services.wire.enum_names import names_of, number_of

# The gateway's limit, checked here too: a range of a billion values must not be expanded to be refused.
_MAX_VALUES = 10_000
_OPTIONS = frozenset(("interval", *(field.name for field in fields(ExecutionOptions))))


def is_range(parameter: str) -> bool:
    """Return whether `name=values` has several values."""
    value = parameter.partition("=")[2]
    return ".." in value or "," in value


def parameter_range(parameter: str, strategy: Strategy) -> ParameterRange:
    """Return the range that `name=values` is.

    Values are a list, `5,9,14` or `sma,ema`, or a range: `5..30` in steps of 1 if both are whole numbers, or
    `0.5..2:0.25` with a step. The gateway checks that the parameter exists and accepts the values. Raises
    InvalidInput if the values cannot be parsed.
    """
    name, _, text = parameter.partition("=")
    kind = getattr(strategy, strategy.WhichOneof("kind") or "")
    field = kind.DESCRIPTOR.fields_by_name.get(name)
    option = f"--param {name}"
    if field is None and name in _OPTIONS and not strategy.HasField("rules"):
        instead = f"--{name.replace('_', '-')} {text}"
        raise InvalidInput.of(option, f"is an option of its own: write {instead}")
    if not text:
        raise InvalidInput.of("--param", f"{parameter!r} does not have the form name=values")
    if ".." in text:
        values = [Value(number_value=number) for number in steps(text, option)]
    else:
        items = [item.strip() for item in text.split(",")]
        if not all(items):
            raise InvalidInput.of(option, f"a value is missing in {text!r}: commas stand between two of them")
        values = [_value(item, field, option) for item in items]
    return ParameterRange(name=name, values=values)


def _value(text: str, field: FieldDescriptor | None, option: str) -> Value:
    if field is not None and field.enum_type:
        names = names_of(field.enum_type)
        number = number_of(field.enum_type, text)
        if number is None:
            raise InvalidInput.of(option, f"{text!r} is not one of {', '.join(names.values())}")
        return Value(string_value=names[number])
    return Value(number_value=float(_number(text, option)))


def steps(text: str, option: str) -> list[float]:
    """Return the numbers of `first..last` or `first..last:step`; raise InvalidInput where it is no range."""
    ends, colon, step_text = text.partition(":")
    written = dict(zip(("first", "last"), ends.split("..", 1), strict=True))
    written |= {"step": step_text} if colon else {}
    for part, number in written.items():
        if not number.strip():
            what = part if part == "step" else f"{part} value"
            raise InvalidInput.of(option, f"{text!r} has no {what}, as 5..30:5 has")
    first, last = (_number(written[part], option) for part in ("first", "last"))
    whole = first == first.to_integral_value() and last == last.to_integral_value()
    if not step_text and not whole:
        raise InvalidInput.of(option, f"{text} needs a step, as in {ends}:0.5")
    # Decimal, so that ten steps of 0.1 from 0 end at exactly 1.
    step = _number(step_text, option) if step_text else Decimal(1)
    if step <= 0:
        raise InvalidInput.of(option, f"the step must be above 0, not {step_text}")
    if last < first:
        raise InvalidInput.of(option, f"{ends} goes from the greater to the smaller number")
    count = int((last - first) / step) + 1
    if count > _MAX_VALUES:
        raise InvalidInput.of(option, f"{text} has {count:,} values, and at most {_MAX_VALUES:,} are allowed")
    return [float(first + step * index) for index in range(count)]


def _number(text: str, option: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidInput.of(option, f"{text!r} is not a number") from None
    if not number.is_finite() or abs(number) > Decimal(10) ** 15:
        raise InvalidInput.of(option, f"{text} is out of range")
    return number
