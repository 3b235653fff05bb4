"""What an expression is: a tree of numbers, columns of the candles, and calls."""

from collections.abc import Iterator
from dataclasses import dataclass


class _Node:
    """Lets strategies write their expressions as formulas; `&` is the conditions' and."""

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


class _HashedOnce(_Node):
    """Keeps the hash of a tree: expressions are keys, and each look-up would hash all of it."""

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

    def __reduce__(self) -> tuple[type["Call"], tuple[str, tuple["Expression", ...]]]:
        # Another process hashes texts otherwise.
        return Call, (self.function, self.arguments)


Expression = Number | Column | Call
Operand = _Node | float

OPEN, HIGH, LOW, CLOSE, VOLUME = map(Column, ("open", "high", "low", "close", "volume"))


def call(function: str, *arguments: Operand) -> Call:
    """Return the call of a function; numbers among its arguments become nodes."""
    return Call(
        function,
        tuple(
            argument if isinstance(argument, Expression) else Number(float(argument))  # type: ignore[arg-type]  # a float
            for argument in arguments
        ),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """A strategy: buy at the closes where `entry` holds, sell where `exit` does; None: never by a signal."""

    entry: Expression
    exit: Expression | None = None

    def conditions(self) -> tuple[Expression, ...]:
        """Return the expressions that there are."""
        return (self.entry,) if self.exit is None else (self.entry, self.exit)


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all that it is made of, without recursion: it may be of any depth."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Call):
            waiting.extend(node.arguments)
