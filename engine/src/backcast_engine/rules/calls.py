"""Calls of functions in a line of text: completes their arguments with defaults, and checks them."""

from typing import NoReturn

from backcast_engine.near_names import did_you_mean
from backcast_engine.rules.check import MAX_DEPTH, MAX_NODES, constant_fault, input_fault
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.habits import WINDOWED
from backcast_engine.rules.impossible import impossible
from backcast_engine.rules.line_parts import Given, LineFault, LinePart, span
from backcast_engine.rules.nodes import (
    Column,
    Expression,
    Number,
    constant_value,
    is_number_of_sweep,
    shared_call,
)
from backcast_engine.rules.signature import Constant, Function, Input, ValueKind
from backcast_engine.rules.text import signature


def completed(function: Function, given: list[Given], start: int, end: int) -> list[LinePart]:
    """Return the arguments of a call, with defaults for omitted ones, which have no place in the line."""
    inputs, constants = function.inputs, function.constants
    usual = bool(inputs) and all(one.default for one in inputs)
    unnamed = [part for part in given if isinstance(part, LinePart)]
    names_numbers = not unnamed or (_is_number(unnamed[0].node) and len(unnamed) <= len(constants))
    first = len(inputs) if usual and names_numbers else 0
    found: list[LinePart | None] = [*[None] * first, *unnamed]
    most = len(function.arguments)
    # Series that are usually the same can only be omitted together.
    omits_usual = not usual and len(found) == function.required
    if len(found) > most or (len(found) < len(inputs) and unnamed and not omits_usual):
        _refuse_count(function, given, start, end)
    found += [None] * (most - len(found))
    _set_named(function, found, given)
    completed = []
    for argument, part in zip(function.arguments, found, strict=True):
        if part is None:
            if argument.default is None:
                _refuse_count(function, given, start, end)
            missing = Column(argument.default) if isinstance(argument, Input) else Number(argument.default)
            completed.append(LinePart(missing, ValueKind.SERIES, start, end))
        else:
            completed.append(part)
    return completed


def _is_number(node: Expression) -> bool:
    return constant_value(node) is not None or is_number_of_sweep(node)


def _set_named(function: Function, found: list[LinePart | None], given: list[Given]) -> None:
    """Put the named arguments of a call into their places in `found`."""
    names = [argument.name for argument in function.arguments]
    named = False
    for one in given:
        if isinstance(one, LinePart):
            if named:
                raise LineFault("arguments without a name come first", one.start, one.end)
            continue
        named, name = True, one.token.lower()
        if name not in names:
            hint = did_you_mean(name, names, f"it has {', '.join(names) or 'none'}")
            raise LineFault(f"{function.name} has no argument {name[:40]}: {hint}", *span(one.token))
        if found[names.index(name)] is not None:
            raise LineFault(f"{name} of {function.name} is given twice", *span(one.token))
        found[names.index(name)] = one.part


def _refuse_count(function: Function, given: list[Given], start: int, end: int) -> NoReturn:
    inputs = function.inputs
    many = "1 argument" if len(given) == 1 else f"{len(given)} arguments"
    together = (
        f"; {', '.join(one.name for one in inputs)} can only be left out together"
        if len(inputs) > 1 and all(one.default for one in inputs) and len(given) < len(inputs)
        else ""
    )
    instead = f"; {WINDOWED[function.name]}" if function.name in WINDOWED else ""
    raise LineFault(f"{signature(function)} cannot be called with {many}{together}{instead}", start, end)


def checked_call(name: str, parts: list[LinePart], start: int, start_end: int, end: int) -> LinePart:
    """Return the call of a function with all of its arguments.

    Errors of the call as a whole are marked from `start` to `start_end`.
    """
    function = FUNCTIONS[name]
    parts = [
        part if isinstance(argument, Input) else _computed(part)
        for argument, part in zip(function.arguments, parts, strict=True)
    ]
    for argument, part in zip(function.arguments, parts, strict=True):
        if isinstance(argument, Input):
            require(part, argument.kind)
            if fault := input_fault(function, argument, part.node):
                raise LineFault(fault, part.start, part.end)
        else:
            _require_constant(function, argument, part)
    depth = 1 + max((part.depth for part in parts), default=0)
    size = 1 + sum(part.size for part in parts)
    if depth > MAX_DEPTH:
        raise LineFault(
            f"this is nested deeper than the {MAX_DEPTH} levels that are allowed", start, start_end
        )
    if size > MAX_NODES:
        raise LineFault(f"this has more than the {MAX_NODES} parts that are allowed", start, start_end)
    node = shared_call(name, tuple(part.node for part in parts))
    if fault := impossible(node):
        raise LineFault(fault, start, end)
    return LinePart(node, function.gives, start, end, depth, size, parts=tuple(parts))


def require(part: LinePart, wanted: ValueKind) -> None:
    """Raise LineFault if a part is not of the kind that is wanted."""
    if part.kind is not wanted:
        raise LineFault(f"expected {wanted.value}, not {part.kind.value}", part.start, part.end)


def _require_constant(function: Function, constant: Constant, part: LinePart) -> None:
    if is_number_of_sweep(part.node):
        return
    if fault := constant_fault(constant, part.node):
        raise LineFault(f"{constant.name} of {function.name} {fault}", part.start, part.end)


def _computed(part: LinePart) -> LinePart:
    """Return a part that is computed from numbers only as the number that it is."""
    value = constant_value(part.node)
    return part if value is None else LinePart(Number(value), ValueKind.SERIES, part.start, part.end)
