"""Expressions: trees of numbers, columns, placeholders, calls of functions, and parts on other candles."""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from backcast_engine.interval import Interval


class _Node:
    """Operators, by which strategies write expressions as formulas; `&` is `and`."""

    __slots__ = ()

    def __lt__(self, other: "Operand") -> "Call":
        return call("less", self, other)

    def __gt__(self, other: "Operand") -> "Call":
        return call("greater", self, other)

    def __and__(self, other: "Operand") -> "Call":
        return call("and", self, other)


@dataclass(frozen=True, slots=True)
class Number(_Node):
    """The same number at every candle."""

    value: float


@dataclass(frozen=True, slots=True)
class Column(_Node):
    """A column of the candles: open, high, low, close or volume."""

    name: str


@dataclass(frozen=True, slots=True)
class Placeholder(_Node):
    """A number that each combination of a sweep fills in: {n}."""

    label: str


class _HashedOnce(_Node):
    """Caches the hash of a tree: expressions are keys, and every look-up would hash the whole tree."""

    __slots__ = ("_hash",)
    _hash: int


@dataclass(frozen=True, slots=True)
class Call(_HashedOnce):
    """A function of `functions.FUNCTIONS` with all of its arguments; operators are functions too."""

    function: str
    arguments: tuple["Expression", ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.function, self.arguments)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Callable[..., "Call"], tuple[str, tuple["Expression", ...]]]:
        # Hashes of texts differ between processes.
        return shared_call, (self.function, self.arguments)


@dataclass(frozen=True, slots=True)
class OtherCandles:
    """Candles that are not those of the run: of the crypto `symbol`, of length `interval`, or both.

    Where `symbol` is empty, they are the run's crypto's; where `interval` is None, they are as long as the
    run's.
    """

    symbol: str = ""
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class On(_HashedOnce):
    """A part of an expression that is evaluated on other candles, of which it has no further parts.

    At each candle of the run, its value is that at the last of the other candles that has closed by then.
    """

    part: "Expression"
    candles: OtherCandles

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.part, self.candles)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type["On"], tuple["Expression", OtherCandles]]:
        # As of calls.
        return On, (self.part, self.candles)


Expression = Number | Column | Placeholder | Call | On
Operand = _Node | float

OPEN, HIGH, LOW, CLOSE, VOLUME = map(Column, ("open", "high", "low", "close", "volume"))


def shared_call(function: str, arguments: tuple[Expression, ...]) -> Call:
    """Return the call of a function: one object for equal calls, as long as the cache has it.

    Expressions are keys of caches, and one object is found there without a comparison of all of its parts.
    """
    return _first_equal(Call(function, arguments))


@lru_cache(maxsize=16_384)
def _first_equal(node: Call) -> Call:
    return node


def call(function: str, *arguments: Operand) -> Call:
    """Return the call of a function; numbers among its arguments become nodes."""
    return shared_call(
        function,
        tuple(
            argument if isinstance(argument, Expression) else Number(float(argument))  # type: ignore[arg-type]  # a float
            for argument in arguments
        ),
    )


def constant_value(node: Expression) -> float | None:
    """Return the value of an expression of written numbers only, as on paper: 5 * 24; None for all else."""
    value = _constant_fraction(node)
    return None if value is None else float(value)


def _constant_fraction(node: Expression) -> Fraction | None:
    if isinstance(node, Number):
        return Fraction(repr(node.value)) if isfinite(node.value) else None
    if not isinstance(node, Call) or node.function not in _ARITHMETIC:
        return None
    values = [value for value in map(_constant_fraction, node.arguments) if value is not None]
    if len(values) < len(node.arguments) or (node.function == "divide" and not values[1]):
        return None
    # Beyond a float64, it is no number of a function anyway.
    result = _ARITHMETIC[node.function](*values)
    return result if abs(result) <= _MOST else None


_MOST = Fraction(10) ** 300
_ARITHMETIC: dict[str, Callable[..., Fraction]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negate": operator.neg,
}


def is_number_of_sweep(node: Expression) -> bool:
    """Return whether an expression is a number that a sweep computes of its placeholders: 5 * {n}."""
    return has_placeholder(node) and all(
        each.function in _ARITHMETIC if isinstance(each, Call) else not isinstance(each, Column)
        for each in walk(node)
    )


def has_placeholder(expression: Expression) -> bool:
    """Return whether an expression has numbers that a sweep fills in."""
    return any(isinstance(node, Placeholder) for node in walk(expression))


@dataclass(frozen=True, slots=True)
class Rules:
    """A strategy: buys at closes where `entry` is true, sells where `exit` is; None: no signal sells."""

    entry: Expression
    exit: Expression | None = None

    def conditions(self) -> tuple[Expression, ...]:
        """Return the conditions that are set."""
        return (self.entry,) if self.exit is None else (self.entry, self.exit)


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all of its parts, without recursion, because it can have any depth."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Call):
            waiting.extend(node.arguments)
        elif isinstance(node, On):
            waiting.append(node.part)


def on_other_candles(expression: Expression) -> Iterator[On]:
    """Yield the parts of an expression that are evaluated on other candles."""
    return (node for node in walk(expression) if isinstance(node, On))
