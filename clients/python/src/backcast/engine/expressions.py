"""Rules with Python's operators: `(close > sma(200)) & (rsi(14) < 30)`.

A condition is text in the end, as `backcast.rules` takes it: the server, too, reads what is written here.
"""

from collections.abc import Callable
from typing import Any, NoReturn, Self, TypeVar

from backcast import quantities
from backcast.errors import InvalidRequestError
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.near_names import did_you_mean
from backcast_engine.rules.parse import LineFault, parse_line
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import CALLABLE, signature, text

NAMES = (*VALUE_COLUMNS, *CALLABLE)
"""The columns of candles, and the functions of rules."""


class _Written:
    """An expression, checked when it is made; `str` is its text."""

    __slots__ = ("_text",)
    # Lists and arrays of NumPy leave the operators to this class.
    __array_ufunc__ = None

    def __init__(self, line: str) -> None:
        """`line` is text in the language of rules."""
        try:
            self._text = text(parse_line(line, self._kind()))
        except LineFault as fault:
            raise InvalidRequestError.of("rules", fault.shown_in(line)) from None

    @classmethod
    def _kind(cls) -> ValueKind:
        return ValueKind.CONDITION if cls is Condition else ValueKind.SERIES

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._text}>"

    def __bool__(self) -> NoReturn:
        raise InvalidRequestError.of(
            "rules", "write & for and, | for or, ~ for not, and (a < b) & (b < c) for a < b < c"
        )


_Kind = TypeVar("_Kind", bound=_Written)


class Condition(_Written):
    """What is true or false at every candle; conditions are combined with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: object) -> "Condition":
        return Condition(f"({self}) and ({_condition(other)})")

    def __or__(self, other: object) -> "Condition":
        return Condition(f"({self}) or ({_condition(other)})")

    def __invert__(self) -> "Condition":
        return Condition(f"not ({self})")

    def __matmul__(self, other: object) -> Self:
        return _elsewhere(self, other)

    def __eq__(self, other: object) -> NoReturn:
        raise InvalidRequestError.of("rules", f"{self} is a condition: == and != compare numbers")

    __ne__ = __eq__
    __hash__ = object.__hash__

    # A series or a number on the left has no such operator.
    def __rand__(self, other: object) -> NoReturn:
        _refuse(other)

    def __ror__(self, other: object) -> NoReturn:
        _refuse(other)


class Series(_Written):
    """A number at every candle: combined with `+ - * /`, compared with `< <= > >= == !=`.

    `close[1]` is the close of the candle before, `close @ "1d"` that of the last daily candle, and
    `close @ "BTCUSDT"` that of another crypto.
    """

    __slots__ = ()

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # as arrays do
        return self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", other)

    __hash__ = object.__hash__

    def __matmul__(self, other: object) -> Self:
        return _elsewhere(self, other)

    def __getitem__(self, candles: object) -> Self:
        return type(self)(f"({self})[{_operand(candles)}]")

    # Otherwise Python would count from close[0] on, without an end.
    __iter__ = None

    def __add__(self, other: object) -> Self:
        return self._combined(self, "+", other)

    def __radd__(self, other: object) -> Self:
        return self._combined(other, "+", self)

    def __sub__(self, other: object) -> Self:
        return self._combined(self, "-", other)

    def __rsub__(self, other: object) -> Self:
        return self._combined(other, "-", self)

    def __mul__(self, other: object) -> Self:
        return self._combined(self, "*", other)

    def __rmul__(self, other: object) -> Self:
        return self._combined(other, "*", self)

    def __truediv__(self, other: object) -> Self:
        return self._combined(self, "/", other)

    def __rtruediv__(self, other: object) -> Self:
        return self._combined(other, "/", self)

    def __neg__(self) -> Self:
        return type(self)(f"-({self})")

    def __and__(self, other: object) -> NoReturn:
        _refuse(self)

    __or__ = __rand__ = __ror__ = __and__

    def _compared(self, operator: str, other: object) -> Condition:
        return Condition(f"({self}) {operator} ({_operand(other)})")

    def _combined(self, left: object, operator: str, right: object) -> Self:
        return type(self)(f"({_operand(left)}) {operator} ({_operand(right)})")


def named(name: str) -> Any:
    """Return the series of a column or of the clock, or the function of rules with this name.

    Raises AttributeError where there is none.
    """
    if name in VALUE_COLUMNS or (name in CALLABLE and not CALLABLE[name].arguments):
        return Series(name)
    if name in CALLABLE:
        return _function(name)
    hint = did_you_mean(name, NAMES)
    raise AttributeError(f"module 'backcast.engine' has no attribute {name!r}{hint and f': {hint}'}")


def _function(name: str) -> Callable[..., Series | Condition]:
    """Return a function that writes the call of the function of rules."""
    function = CALLABLE[name]
    kind = Condition if function.gives is ValueKind.CONDITION else Series

    def written(*arguments: object, **named: object) -> Series | Condition:
        texts = [*map(_operand, arguments), *(f"{each}={_operand(value)}" for each, value in named.items())]
        return kind(f"{name}({', '.join(texts)})")

    written.__name__ = written.__qualname__ = name
    written.__doc__ = f"{function.help}\n\n{signature(function)}"
    return written


def _elsewhere(written: _Kind, other: object) -> _Kind:
    """Return an expression on other candles: those of a longer interval, or of another crypto."""
    if not isinstance(other, str):
        raise InvalidRequestError.of(
            "rules", f'write close @ "1d" or close @ "BTCUSDT", not close @ {other!r}'
        )
    # Two in a row are one place.
    return type(written)(f"({written})@{other}")


def _operand(value: object) -> str:
    """Return the text of an expression or of a number."""
    return str(value) if isinstance(value, _Written) else repr(quantities.number(value, "rules"))


def _condition(value: object) -> Condition:
    return value if isinstance(value, Condition) else _refuse(value)


def _refuse(value: object) -> NoReturn:
    raise InvalidRequestError.of(
        "rules", f"{value} is no condition: put comparisons into parentheses, as (a < b) & (c < d)"
    )
