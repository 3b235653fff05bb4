"""Conversion of expressions. Enum values have the names of the domain's functions and columns."""

import re
from dataclasses import replace

from backcast.backtest.v1 import expression_pb2 as pb
from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.rules.check import MAX_DEPTH, MAX_NODES
from backcast_engine.rules.nodes import (
    Column,
    Expression,
    Number,
    On,
    OtherCandles,
    Placeholder,
    shared_call,
)
from services.domain.symbols import canonical_symbol
from services.wire.candles import interval_from, interval_to
from services.wire.enum_names import names_of, numbers_of

_LABEL = re.compile("[a-z_][a-z_0-9]{0,39}", re.ASCII | re.IGNORECASE)


def expression_from(message: pb.Expression, field: str) -> Expression:
    """Return the expression of a message; the arguments of functions are not checked.

    Raises InvalidInput for an empty node, and for an unknown function or column; `field` is the message's
    path.
    """
    violations = Violations()
    expression = read_expression(message, field, violations)
    violations.raise_if_any()
    return expression


def read_expression(message: pb.Expression, field: str, violations: Violations) -> Expression:
    """Return the expression of a message; a number stands for what cannot be read. See `expression_from`."""
    return violations.read(Number(0), _Reading(field, violations).read, message, field, 1)


def expression_to(expression: Expression) -> pb.Expression:
    """Return the message of a checked expression."""
    if isinstance(expression, Number):
        return pb.Expression(number=expression.value)
    if isinstance(expression, Placeholder):
        return pb.Expression(placeholder=expression.label)
    if isinstance(expression, Column):
        column = numbers_of(pb.Column.DESCRIPTOR)[expression.name.upper()]
        return pb.Expression(column=pb.Column.ValueType(column))
    if isinstance(expression, On):
        message, candles = expression_to(expression.part), expression.candles
        message.symbol = candles.symbol
        if candles.interval:
            message.interval = interval_to(candles.interval)
        return message
    function = numbers_of(pb.Function.DESCRIPTOR)[expression.function.upper()]
    return pb.Expression(
        function=pb.Function.ValueType(function), arguments=map(expression_to, expression.arguments)
    )


class _Reading:
    """Reads one expression, up to the allowed depth and number of nodes.

    Parts that cannot be read are collected in `violations`, and a number stands for them.
    """

    def __init__(self, root: str, violations: Violations) -> None:
        self._root = root
        self._violations = violations
        self._parts = 0

    def read(self, message: pb.Expression, field: str, depth: int) -> Expression:
        """Return the node of `message` at the path `field`, `depth` levels down."""
        self._parts += 1
        if depth > MAX_DEPTH:
            raise InvalidInput.of(
                self._root, f"is nested deeper than the {MAX_DEPTH} levels that are allowed"
            )
        if self._parts > MAX_NODES:
            raise InvalidInput.of(self._root, f"has more than the {MAX_NODES} parts that are allowed")
        arguments = tuple(
            self.read(argument, f"{field}.arguments[{index}]", depth + 1)
            for index, argument in enumerate(message.arguments)
        )
        node = self._violations.read(Number(0), _node, message, arguments, field)
        candles = self._other_candles(message, field)
        return node if candles == OtherCandles() else On(node, candles)

    def _other_candles(self, message: pb.Expression, field: str) -> OtherCandles:
        candles, read = OtherCandles(), self._violations.read
        if message.symbol:
            symbol = read("", canonical_symbol, message.symbol, f"{field}.symbol")
            candles = replace(candles, symbol=symbol)
        if message.interval:
            interval = read(None, interval_from, message.interval, f"{field}.interval")
            candles = replace(candles, interval=interval)
        return candles


def _node(message: pb.Expression, arguments: tuple[Expression, ...], field: str) -> Expression:
    """Return the node of a message whose arguments were read."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise InvalidInput.of(field, "needs a number, a column, a function or a placeholder")
    if kind != "function" and arguments:
        raise InvalidInput.of(field, f"a {kind} takes no arguments")
    if kind == "number":
        return Number(message.number)
    if kind == "placeholder":
        if not _LABEL.fullmatch(message.placeholder):
            reason = "a placeholder has 1 to 40 letters, digits and underscores, and begins with no digit"
            raise InvalidInput.of(field, reason)
        return Placeholder(message.placeholder)
    if kind == "column":
        return Column(_name(names_of(pb.Column.DESCRIPTOR), message.column, kind, field))
    return shared_call(_name(names_of(pb.Function.DESCRIPTOR), message.function, kind, field), arguments)


def _name(names: dict[int, str], number: int, kind: str, field: str) -> str:
    if number not in names:
        raise InvalidInput.of(field, f"there is no {kind} {number}")
    return names[number].lower()
