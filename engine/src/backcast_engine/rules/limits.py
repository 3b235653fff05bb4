"""Limits of expressions: numbers between which all values of a series are, whatever the candles."""

from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import NamedTuple

from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, constant_value
from backcast_engine.rules.signature import Input


class SeriesLimits(NamedTuple):
    """The least and the greatest value that a series can have; infinite where nothing is known."""

    low: float = -inf
    high: float = inf


_ANY = SeriesLimits()
_PERCENT = SeriesLimits(0, 100)
_SIGNED_PERCENT = SeriesLimits(-100, 100)
_NOT_NEGATIVE = SeriesLimits(0, inf)
_UNIT = SeriesLimits(-1, 1)

# Whatever the series are that a function is of.
_OF_ALL = {
    **dict.fromkeys(("rsi", "adx", "adxr", "dx", "aroon_down", "aroon_up", "stochrsi_k"), _PERCENT),
    **dict.fromkeys(("cmo", "aroonosc"), _SIGNED_PERCENT),
    **dict.fromkeys(("abs", "sqrt", "exp", "stddev", "bars_since"), _NOT_NEGATIVE),
    **dict.fromkeys(("sign", "sin", "cos", "tanh", "correl"), _UNIT),
    "hour": SeriesLimits(0, 23),
    "weekday": SeriesLimits(1, 7),
    "day_of_month": SeriesLimits(1, 31),
}
# Of the columns of candles only, in which the close is between low and high, say.
_OF_CANDLES = {
    **dict.fromkeys(("stochastic_k", "stochastic_d", "stochf_k"), _PERCENT),
    **dict.fromkeys(("mfi", "ultosc", "plus_di", "minus_di"), _PERCENT),
    **dict.fromkeys(("true_range", "atr", "natr", "plus_dm", "minus_dm"), _NOT_NEGATIVE),
    "willr": SeriesLimits(-100, 0),
    "bop": _UNIT,
}
# Their values are among those of their series, or between them.
_WITHIN = frozenset(("shift", "highest", "lowest", "sma", "ema", "wma"))
_PATTERN = SeriesLimits(-200, 200)


# Cached, because every comparison around a part asks for those of the part.
@lru_cache(maxsize=4096)
def limits_of(node: Expression) -> SeriesLimits:
    """Return the limits of a checked series."""
    if (value := constant_value(node)) is not None:
        return SeriesLimits(value, value)
    if isinstance(node, On):
        return limits_of(node.part)
    if isinstance(node, Call):
        return _of_call(node)
    # Candles with a negative price or volume are refused at import.
    return _NOT_NEGATIVE if isinstance(node, Column) else _ANY


def _of_call(node: Call) -> SeriesLimits:
    limits = _OF_ALL.get(node.function, _ANY)
    match node.function, node.arguments:
        case ("count", (_, Number(value=period))):
            limits = SeriesLimits(0, period)
        case (name, (series, *_)) if name in _WITHIN:
            limits = limits_of(series)
        case (name, parts) if name in _COMPUTED:
            limits = _COMPUTED[name](*map(limits_of, parts))
        case (name, _) if name in _OF_CANDLES and _is_of_candles(node):
            limits = _OF_CANDLES[name]
        case (name, _) if name.startswith("cdl"):
            limits = _PATTERN
    return limits


_COMPUTED: dict[str, Callable[..., SeriesLimits]] = {
    "negate": lambda of: SeriesLimits(-of.high, -of.low),
    "add": lambda left, right: SeriesLimits(left.low + right.low, left.high + right.high),
    "subtract": lambda left, right: SeriesLimits(left.low - right.high, left.high - right.low),
}


def _is_of_candles(node: Call) -> bool:
    """Return whether a function is of the columns that it is usually of."""
    return all(
        isinstance(given, Column) and given.name == argument.default
        for argument, given in zip(FUNCTIONS[node.function].arguments, node.arguments, strict=True)
        if isinstance(argument, Input)
    )
