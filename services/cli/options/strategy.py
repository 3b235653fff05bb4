"""Converts `rsi --param period=7` and `rules --entry 'rsi(14) < 30'` to a Strategy message."""

from google.protobuf.descriptor import FieldDescriptor

from backcast.backtest.v1.strategy_pb2 import Rules, Strategy
from backcast_engine.errors import InvalidInput
from backcast_engine.near_names import did_you_mean
from services.wire.enum_names import number_of, numbers_of


def strategy_message(
    name: str, parameters: list[str], entry: str | None = None, exit_: str | None = None
) -> Strategy:
    """Return the message of the strategy `name` with parameters given as `key=value`.

    `entry` and `exit_` are the two lines of the strategy `rules`; other strategies have none. Raises
    InvalidInput if there is no such strategy or parameter, or a value has the wrong type. The gateway checks
    the ranges.
    """
    kinds = {field.name: field for field in Strategy.DESCRIPTOR.oneofs_by_name["kind"].fields}
    if name not in kinds:
        hint = did_you_mean(name, kinds, f"choose {_either(list(kinds))}")
        raise InvalidInput.of("strategy", f"there is no strategy {name!r}: {hint}")
    strategy = Strategy()
    kind = getattr(strategy, name)
    kind.SetInParent()
    fields = {key: field for key, field in kind.DESCRIPTOR.fields_by_name.items() if not field.message_type}
    taken: set[str] = set()
    for parameter in parameters:
        key, separator, text = parameter.partition("=")
        if not separator:
            raise InvalidInput.of("--param", f"{parameter!r} does not have the form name=value")
        if key not in fields:
            choices = _either(list(fields)) if fields else "none, it has no parameters"
            hint = did_you_mean(key, fields, f"choose {choices}")
            raise InvalidInput.of(f"--param {key}", f"{name} has no such parameter: {hint}")
        if key in taken:
            raise InvalidInput.of(f"--param {key}", "is given twice")
        taken.add(key)
        try:
            setattr(kind, key, _value(fields[key], key, text))
        except ValueError:
            raise InvalidInput.of(f"--param {key}", f"{text} is out of range") from None
    lines = {key: line for key, line in (("entry", entry), ("exit", exit_)) if line is not None}
    if isinstance(kind, Rules):
        _set_rules(kind, lines)
    elif lines:
        raise InvalidInput.of(f"--{next(iter(lines))}", f"is for the strategy rules only, not for {name}")
    return strategy


def _set_rules(rules: Rules, lines: dict[str, str]) -> None:
    from backcast_engine.rules.parse import parse
    from services.wire.expressions import expression_to

    if "entry" not in lines:
        raise InvalidInput.of("--entry", "is required for rules, as in --entry 'rsi(14) < 30'")
    for key, line in lines.items():
        getattr(rules, key).CopyFrom(expression_to(parse(line, f"--{key}")))


def _value(field: FieldDescriptor, key: str, text: str) -> int | float:
    if field.enum_type:
        chosen = number_of(field.enum_type, text)
        if chosen is None:
            choices = list(numbers_of(field.enum_type))
            raise InvalidInput.of(f"--param {key}", f"{text!r} is not {_either(choices)}")
        return chosen
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
