"""`rsi --param period=7` to a strategy's message, guided by the message's own fields."""

from google.protobuf.descriptor import FieldDescriptor

from backcast.backtest.v1.strategy_pb2 import Strategy
from services.shared.errors import InvalidInput


def strategy_message(name: str, parameters: list[str]) -> Strategy:
    """Return the message of the strategy `name` with parameters given as `key=value`.

    Raises InvalidInput where there is no such strategy or parameter, or a value is of the wrong type;
    ranges are the gateway's business.
    """
    kinds = {field.name: field for field in Strategy.DESCRIPTOR.oneofs_by_name["kind"].fields}
    if name not in kinds:
        raise InvalidInput.of("strategy", f"there is no strategy {name!r}: choose {_either(list(kinds))}")
    strategy = Strategy()
    kind = getattr(strategy, name)
    kind.SetInParent()
    fields = kind.DESCRIPTOR.fields_by_name
    for parameter in parameters:
        key, separator, text = parameter.partition("=")
        if not separator:
            raise InvalidInput.of("--param", f"{parameter!r} is not of the form name=value")
        if key not in fields:
            choices = _either(list(fields)) if fields else "none, it has no parameters"
            raise InvalidInput.of(f"--param {key}", f"{name} has no such parameter: choose {choices}")
        try:
            setattr(kind, key, _value(fields[key], key, text))
        except ValueError:
            raise InvalidInput.of(f"--param {key}", f"{text} is out of range") from None
    return strategy


def _value(field: FieldDescriptor, key: str, text: str) -> int | float:
    if field.enum_type:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        choices = {value.name.removeprefix(prefix): value.number for value in field.enum_type.values[1:]}
        if text.upper() not in choices:
            raise InvalidInput.of(f"--param {key}", f"{text!r} is not {_either(list(choices))}")
        return choices[text.upper()]
    try:
        number = float(text)
    except ValueError:
        raise InvalidInput.of(f"--param {key}", f"{text!r} is not a number") from None
    if field.type == FieldDescriptor.TYPE_INT32:
        if not number.is_integer():
            raise InvalidInput.of(f"--param {key}", f"{text!r} is not a whole number")
        return int(number)
    return number


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
