"""Placeholders in rules, `rsi({n}) < {low}`: their names, their values, and which values a rule refuses."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from backcast_engine.rules.check import constant_fault
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import (
    Call,
    Expression,
    Number,
    On,
    Placeholder,
    Rules,
    constant_value,
    has_placeholder,
    shared_call,
    walk,
)
from backcast_engine.rules.signature import Constant


def labels_of(rules: Rules) -> tuple[str, ...]:
    """Return the names of the placeholders in rules, each once, in order of the alphabet."""
    nodes = (node for condition in rules.conditions() for node in walk(condition))
    return tuple(sorted({node.label for node in nodes if isinstance(node, Placeholder)}))


def filled(rules: Rules, values: Mapping[str, float]) -> Rules:
    """Return rules with a number for each placeholder; numbers of functions are computed: sma(5 * {n})."""
    exit_ = None if rules.exit is None else _filled(rules.exit, values)
    return Rules(_filled(rules.entry, values), exit_)


def numbers_of_several(rules: Rules) -> Iterator[tuple[str, ...]]:
    """Yield the names of the placeholders of each number of a function that several make: sma({a} - {b})."""
    for _, _, node in _computed_constants(rules):
        labels = labels_of(Rules(node))
        if len(labels) > 1:
            yield labels


def refused_values(
    rules: Rules, values: Mapping[str, Sequence[float]]
) -> Iterator[tuple[dict[str, float], str]]:
    """Yield combinations of values that a function of the rules refuses, each with the reason.

    A combination has the values of the placeholders that the function's number is computed from.
    """
    for constant, function, node in _computed_constants(rules):
        labels = labels_of(Rules(node))
        for combination in product(*(values[label] for label in labels)):
            given = dict(zip(labels, combination, strict=True))
            if fault := constant_fault(constant, _number(_filled(node, given))):
                yield given, f"{constant.name} of {function} {fault}"


def _computed_constants(rules: Rules) -> Iterator[tuple[Constant, str, Expression]]:
    """Yield the numbers of functions that have placeholders, with the function's name, each once."""
    seen = set()
    for condition in rules.conditions():
        for node in walk(condition):
            if not isinstance(node, Call) or node in seen:
                continue
            seen.add(node)
            function = FUNCTIONS[node.function]
            written = node.arguments[len(function.inputs) :]
            for constant, argument in zip(function.constants, written, strict=False):
                if has_placeholder(argument):
                    yield constant, function.name, argument


def _filled(node: Expression, values: Mapping[str, float]) -> Expression:
    if isinstance(node, Placeholder):
        return Number(float(values[node.label]))
    if isinstance(node, On):
        part = _filled(node.part, values)
        return node if part is node.part else On(part, node.candles)
    if not isinstance(node, Call):
        return node
    arguments = tuple(_filled(argument, values) for argument in node.arguments)
    if all(new is old for new, old in zip(arguments, node.arguments, strict=True)):
        return node
    series = len(FUNCTIONS[node.function].inputs)
    numbers = (
        old if new is old else _number(new)
        for new, old in zip(arguments[series:], node.arguments[series:], strict=True)
    )
    return shared_call(node.function, (*arguments[:series], *numbers))


def _number(node: Expression) -> Expression:
    """Return an expression of numbers only as the number that it is, where it is one."""
    value = constant_value(node)
    return node if value is None else Number(value)
