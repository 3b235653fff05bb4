"""The signature of a function of expressions: its arguments and result, lookback and warm-up."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

# The longest period: more than a year of hourly candles.
MAX_PERIOD = 10_000


class ValueKind(Enum):
    """The type of an expression's value at every candle."""

    SERIES = "a number"
    CONDITION = "a condition"


@dataclass(frozen=True, slots=True)
class Input:
    """An argument that is an expression; `default` is its column if it is omitted."""

    name: str
    kind: ValueKind
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """An argument that must be written as a number; both ends of its range are included."""

    name: str
    whole: bool
    minimum: float
    maximum: float
    default: float


Argument = Input | Constant


@dataclass(frozen=True)
class Function:
    """A function of expressions.

    `compute` gets its inputs as float64 columns of shape (n,), or as floats where they are the same at
    every candle and it is no indicator, then its constants; an input that is a condition is 1, 0 or NaN. A
    function that `reads_time` gets the times at which the candles open first. It returns a float64 column,
    NaN where it is undefined. Where it returns several, `part` is which of them this function gives.
    Conditions, %D, the z-score, Bollinger bands and Ichimoku have none: see `evaluation`. `lookback` is how
    many candles before a first value it needs to have seen, `warmup` how many until what came before has no
    say any more; both are functions of the constants, and both count from where its inputs are defined.
    """

    name: str
    arguments: tuple[Argument, ...]
    gives: ValueKind
    help: str
    compute: Callable[..., Any] | None = None
    lookback: Callable[..., int] = lambda *_: 0
    warmup: Callable[..., int] | None = None
    part: int | None = None
    is_indicator: bool = True
    reads_time: bool = False

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The arguments that are expressions; they come first."""
        return tuple(argument for argument in self.arguments if isinstance(argument, Input))

    @cached_property
    def required(self) -> int:
        """How many inputs, of those that come first, cannot be omitted."""
        return next((i for i, one in enumerate(self.inputs) if one.default), len(self.inputs))

    @cached_property
    def constants(self) -> tuple[Constant, ...]:
        """The arguments that are numbers; they come last."""
        return tuple(argument for argument in self.arguments if isinstance(argument, Constant))
