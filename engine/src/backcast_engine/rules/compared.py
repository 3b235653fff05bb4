"""The series that rules compare, with each other or with numbers: what a chart shows of a strategy.

Of `rsi(14) < 30 and close > sma(200)` they are `rsi(14)`, with the level 30, and `sma(200)`. Prices are
none, as candles show them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from backcast_engine.candles import Candles
from backcast_engine.indicators.library import LibraryFunction
from backcast_engine.rules.check import constants_of, lookback, varies
from backcast_engine.rules.evaluation import Evaluation
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import VOLUME, Call, Column, Expression, Number, On, Rules, call, shared_call
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import place_text, text

PRICE_PANE = 0

# The price and the volume in a market that stands still. No series is near such a price by chance.
_STEADY_PRICE, _STEADY_VOLUME = 1e9, 1e-9
# How much higher the price of another crypto is: the two are not on one scale.
_OTHER_PRICE = 1e5

_ABBREVIATIONS = frozenset(("sma", "ema", "wma", "roc", "rsi", "atr", "macd", "vwap"))
_WORDS = {"stddev": "standard deviation", "zscore": "z-score", "k": "%K", "d": "%D", "a": "A", "b": "B"}


@dataclass(frozen=True, slots=True)
class ComparedSeries:
    """A series that rules compare, and how a chart shows it.

    `pane` is PRICE_PANE where the series is on the scale of the price, else a number from 1; series that are
    compared with each other have the same. `levels` are the numbers that it is compared with, ascending.
    """

    expression: Expression
    pane: int
    levels: tuple[float, ...]

    @property
    def label(self) -> str:
        """The series in the words of a chart's legend: SMA 20."""
        label = _label(self.expression)
        return label if _is_formula(self.expression) else label[0].upper() + label[1:]


def compared_series(rules: Rules) -> tuple[ComparedSeries, ...]:
    """Return the series that checked rules compare, in the order of their text, each once."""
    # By series, in their order: what each is compared with.
    levels: dict[Expression, set[float]] = {}
    partners: dict[Expression, set[Expression]] = {}
    for condition in rules.conditions():
        for sides in _comparisons(condition):
            for side, other in (sides, sides[::-1]):
                if not _is_series(side):
                    continue
                own_levels, own_partners = levels.setdefault(side, set()), partners.setdefault(side, set())
                if _is_series(other):
                    own_partners.add(other)
                elif not varies(other) and np.isfinite(level := _steady_value(other)):
                    own_levels.add(level)
    panes = _panes(partners)
    return tuple(ComparedSeries(each, panes[each], tuple(sorted(levels[each]))) for each in partners)


def _comparisons(condition: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Yield the two sides of each comparison in a checked condition, from left to right."""
    if isinstance(condition, On):
        for sides in _comparisons(condition.part):
            left, right = (On(side, condition.candles) if varies(side) else side for side in sides)
            yield left, right
        return
    assert isinstance(condition, Call)
    if FUNCTIONS[condition.function].inputs[0].kind is ValueKind.SERIES:
        left, right = condition.arguments
        yield left, right
        return
    for part in condition.arguments:
        yield from _comparisons(part)


def _is_series(side: Expression) -> bool:
    return side == VOLUME or (isinstance(side, Call | On) and varies(side))


def _panes(partners: dict[Expression, set[Expression]]) -> dict[Expression, int]:
    """Return the pane of each series, given which others it is compared with."""
    panes = {series: PRICE_PANE for series in partners if _follows_price(series)}
    numbers = count(1)
    for series in partners:
        if series in panes:
            continue
        number, together = next(numbers), [series]
        while together:
            if (one := together.pop()) not in panes:
                panes[one] = number
                together.extend(partners[one])
    return panes


def _follows_price(series: Expression) -> bool:
    """Return whether a series is on the scale of the price: in a market that stands still, it is near it."""
    return 0.5 < _steady_value(series) / _STEADY_PRICE < 2.0


def _steady_value(series: Expression) -> float:
    """Return the value of a series in a market that stands still; NaN where it is undefined."""
    shortened = _shortened(series)
    # Of one candle, a sum of prices would be a price.
    candles = 2 + lookback(shortened)
    price = np.full(candles, _STEADY_PRICE)
    times_s = 3600 * np.arange(candles, dtype=np.int64)
    steady = Candles(times_s, price, price, price, price, np.full(candles, _STEADY_VOLUME))
    return float(Evaluation(steady).series(shortened)[-1])


def _shortened(node: Expression) -> Expression:
    """Return a series with the shortest periods, and without other candles.

    They make no difference where nothing moves, but that another crypto has another price.
    """
    if isinstance(node, On):
        part = _shortened(node.part)
        return _at_other_price(part) if node.candles.symbol else part
    if not isinstance(node, Call):
        return node
    function = FUNCTIONS[node.function]
    inputs = tuple(map(_shortened, node.arguments[: len(function.inputs)]))
    constants = (
        constant.minimum if constant.whole else value
        for constant, value in zip(function.constants, constants_of(node), strict=True)
    )
    return shared_call(node.function, (*inputs, *map(Number, constants)))


def _at_other_price(node: Expression) -> Expression:
    if isinstance(node, Column) and node != VOLUME:
        return call("multiply", node, _OTHER_PRICE)
    if not isinstance(node, Call):
        return node
    return shared_call(node.function, tuple(map(_at_other_price, node.arguments)))


def _is_formula(node: Expression) -> bool:
    if not isinstance(node, Call):
        return False
    function = FUNCTIONS[node.function]
    return not function.is_indicator or any(one.kind is ValueKind.CONDITION for one in function.inputs)


def _label(node: Expression) -> str:
    if isinstance(node, On):
        whose = " ".join(filter(None, place_text(node.candles).split("@")))
        return f"{_label(node.part)}, {whose}"
    if not isinstance(node, Call) or _is_formula(node):
        return text(node)
    function = FUNCTIONS[node.function]
    inputs = node.arguments[: len(function.inputs)]
    if function.name == "shift":
        (candles,) = constants_of(node)
        return f"{_label(inputs[0])}, {candles} candle{'s' if candles > 1 else ''} ago"
    # TA-Lib's names are abbreviations, and the endings that distinguish its results are words.
    library = function.compute
    shortened = library.name.lower().split("_") if isinstance(library, LibraryFunction) else _ABBREVIATIONS
    words = [
        word.upper() if word in shortened else _WORDS.get(word, word) for word in function.name.split("_")
    ]
    label = " ".join(words)
    if numbers := node.arguments[len(inputs) :]:
        label += " " + ", ".join(map(text, numbers))
    if inputs != tuple(Column(one.default) for one in function.inputs if one.default):
        label += " of " + ", ".join(map(_label, inputs))
    return label
