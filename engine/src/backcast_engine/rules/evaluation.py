"""Evaluates expressions at every candle, vectorized; common parts are computed once.

What is undefined (an indicator that has not seen enough, a division by zero) is NaN in a series. A
condition that depends on it is neither true nor false, and no signal: logic has three values
(S. C. Kleene, Introduction to Metamathematics, 1952), so `not` of the undefined is undefined as well.

A comparison never depends on rounding where its sides have exact values. Where float64 values are closer than
`rounding` allows to trust them, the exact values decide: averages that are equal on paper are equal.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.indicators.offset import offset
from backcast_engine.indicators.stochastic import place
from backcast_engine.rules.check import constants_of
from backcast_engine.rules.exact import PLACE, ExactValues, decided_by_rounding, in_basic_functions
from backcast_engine.rules.functions import FUNCTIONS, parts_of
from backcast_engine.rules.nodes import Call, Column, Expression, Number, On, call, shared_call
from backcast_engine.rules.ratios import Positions, Ratios
from backcast_engine.rules.rounding import Accuracy, Bounds, Rounding, positions_within
from backcast_engine.rules.seen import SeenCandles
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.ticks import WindowedTicks

Flags = NDArray[np.bool_]

# Cache size: more than the parts of one strategy; a sweep over many periods evicts the least recently used.
_MOST_BYTES = 128 * 1024 * 1024

_COMPARISONS: dict[str, Callable[..., Any]] = {
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    # What is undefined is not unequal either.
    "not_equal": lambda left, right: (left < right) | (left > right),
}
_OPPOSITES = {
    "less": "greater_equal",
    "less_equal": "greater",
    "greater": "less_equal",
    "greater_equal": "less",
    "equal": "not_equal",
    "not_equal": "equal",
}
# On which side of the average a Bollinger band lies.
_BANDS = {"bollinger_lower": -1.0, "bollinger_upper": 1.0}
_NONE = np.empty((2, 0), np.int64)
_ZERO = Number(0.0)
_CROSSES = {"crosses_above": ("greater", "less_equal"), "crosses_below": ("less", "greater_equal")}


def _made_of_kept_parts(node: Call) -> bool:
    """Return whether a node is evaluated as the functions that it is made of.

    Other expressions share these. %D is always the average of %K; %K only over columns, because other series
    can be undefined in different places, and are first made undefined together.
    """
    if node.function in ("stochastic_d", "zscore", "tenkan", "kijun", "senkou_a", "senkou_b"):
        return True
    return node.function == "stochastic_k" and all(
        isinstance(series, Column) for series in node.arguments[:3]
    )


def _no_others(node: On) -> SeenCandles:
    raise ValueError(f"there are no other candles for {node}")


class Evaluation:
    """Values of checked expressions over `candles`; every part is computed once and cached."""

    def __init__(self, candles: Candles, others: Callable[[On], SeenCandles] = _no_others) -> None:
        """`others` returns the other candles of a part of an expression, as they are seen at `candles`."""
        self.candles = candles
        self._others = others
        self._kept: OrderedDict[object, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._exact = ExactValues(candles, lambda node, at: others(node).ratios(node.part, at))
        self._bounds = Bounds()
        self._ticks = WindowedTicks(candles)

    def condition(self, expression: Expression) -> Flags:
        """Return where a condition is true: bool of shape (n,), read-only."""
        return self.truth(expression, holds=True)

    def series(self, expression: Expression) -> PriceColumn:
        """Return the values of a series: float64 of shape (n,), NaN where undefined; read-only."""
        return self._column(self._value(expression))

    def truth(self, node: Expression, *, holds: bool) -> Flags:
        """Return where a condition is true (`holds`), or where it is false; undefined is neither.

        bool of shape (n,), read-only.
        """
        key = (node, holds)
        kept: Flags | None = self._find(key)
        if kept is not None:
            return kept
        if isinstance(node, On):
            truth = self._others(node).truth(node.part, holds=holds)
            self._keep(key, truth)
            return truth
        assert isinstance(node, Call)
        name, arguments = node.function, node.arguments
        if name == "not":
            return self.truth(arguments[0], holds=not holds)
        if name in ("and", "or"):
            left, right = (self.truth(child, holds=holds) for child in arguments)
            # What makes an `and` false makes one of its sides false.
            truth = left & right if (name == "and") is holds else left | right
        elif name in _COMPARISONS:
            truth = self._compare(name if holds else _OPPOSITES[name], arguments)
        else:
            now, before = _CROSSES[name]
            if holds:
                truth = self._compare(now, arguments)
                truth[1:] &= self._compare(before, arguments)[:-1]
                truth[:1] = False
            else:
                truth = self._compare(_OPPOSITES[now], arguments)
                truth[1:] |= self._compare(_OPPOSITES[before], arguments)[:-1]
        self._keep(key, truth)
        return truth

    def accuracy(self, node: Expression) -> Accuracy:
        """Return the bounds of a series that has exact values; see `rounding`."""
        return self._rounding().bounds(node)

    def ratios(self, node: Expression, at: Positions) -> Ratios:
        """Return the exact values of a series at candles at which it is defined; see `exact`."""
        return self._exact.ratios(node, at)

    def _column(self, value: Any) -> PriceColumn:
        return value if isinstance(value, np.ndarray) else np.full(len(self.candles), value)

    def _value(self, node: Expression) -> Any:
        """Return a series as a column, or as a float if it is the same at every candle."""
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Column):
            return getattr(self.candles, node.name)
        assert isinstance(node, Call | On), "a sweep has filled in its placeholders"
        kept = self._find(node)
        if kept is not None:
            return kept
        value: Any
        if isinstance(node, On):
            value = self._others(node).series(node.part)
        elif _made_of_kept_parts(node):
            value = self._value(in_basic_functions(node))
        elif node.function == PLACE:
            value = self._place(*node.arguments)
        elif node.function in _BANDS:
            value = self._band(node)
        else:
            value = self._ticks.windowed(node)
            if value is None:
                value = self._computed(node)
        if isinstance(value, np.ndarray):
            self._keep(node, value)
        return value

    def _computed(self, node: Call) -> Any:
        function = FUNCTIONS[node.function]
        of = self.series if function.is_indicator else self._value
        inputs = [
            of(child) if one.kind is ValueKind.SERIES else self._truth_values(child)
            for one, child in zip(function.inputs, node.arguments, strict=False)
        ]
        if node.function in ("divide", "sign"):
            inputs[-1] = self._with_exact_zeros(inputs[-1], node.arguments[-1])
        if function.reads_time:
            inputs.insert(0, self.candles.open_time_s)
        assert function.compute is not None
        value = function.compute(*inputs, *constants_of(node))
        if function.part is not None:
            # All results of the function are cached: whoever needs one band usually needs the other.
            for name, part in parts_of(function.compute).items():
                if name != node.function:
                    self._keep(shared_call(name, node.arguments), value[part])
            return value[function.part]
        return value

    def _band(self, node: Call) -> PriceColumn:
        """Return a Bollinger band: so many population standard deviations below or above the average.

        Source: John Bollinger, Bollinger on Bollinger Bands, 2001.
        """
        # The two bands, and whatever else reads them, share their average and deviation.
        series, period, width = node.arguments
        assert isinstance(width, Number)
        middle, deviation = (
            self.series(call("sma", series, period)),
            self.series(call("stddev", series, period)),
        )
        return offset(middle, _BANDS[node.function] * width.value, deviation)

    def _place(self, high: Expression, low: Expression, close: Expression, period: Expression) -> PriceColumn:
        bounds = self.series(call("lowest", low, period)), self.series(call("highest", high, period))
        return place(*bounds, self.series(close))

    def _truth_values(self, node: Expression) -> PriceColumn:
        """Return a condition as a column: 1 where it is true, 0 where it is false, NaN where undefined."""
        is_true, is_false = self.truth(node, holds=True), self.truth(node, holds=False)
        return np.where(is_true, 1.0, np.where(is_false, 0.0, np.nan))

    def _compare(self, name: str, arguments: tuple[Expression, ...]) -> Flags:
        left, right = arguments
        left_value, right_value = self._value(left), self._value(right)
        truth = _COMPARISONS[name](left_value, right_value)
        truth = truth if isinstance(truth, np.ndarray) else np.full(len(self.candles), truth)
        if decided_by_rounding(left, right) and not self._ticks.keeps_exact_order(left, right):
            positions, order = self._close_calls(left, right, left_value, right_value)
            if len(positions):
                truth[positions] = _COMPARISONS[name](order, 0)
        return truth

    def _close_calls(
        self, left: Expression, right: Expression, left_value: Any, right_value: Any
    ) -> NDArray[np.int64]:
        """Return the candles at which rounding could decide a comparison, and the exact order there.

        Shape (2, k): the positions, and -1, 0 or 1 where left is below right, equal, or above. Both series
        have exact values; their float64 values are given as columns, or as floats.
        """
        key = ("close calls", left, right)
        kept: NDArray[np.int64] | None = self._find(key)
        if kept is not None:
            return kept
        tolerance = self._rounding().tolerance(left, right)
        column, other = left_value, right_value
        if not isinstance(column, np.ndarray):
            column, other = right_value, left_value
        positions = positions_within(self._column(column), other, tolerance)
        calls = np.array([positions, self._exact.order(left, right, positions)]) if len(positions) else _NONE
        self._keep(key, calls)
        return calls

    def _rounding(self) -> Rounding:
        # Created each time: keeping it would make a reference cycle, which frees columns late.
        return Rounding(
            self.candles, self.series, lambda node: self._others(node).accuracy(node.part), self._bounds
        )

    def _with_exact_zeros(self, value: Any, node: Expression) -> Any:
        """Return the values of a series, exactly 0 where it is 0 on paper: a divisor is undefined there."""
        if not decided_by_rounding(node, _ZERO):
            return value
        positions, order = self._close_calls(node, _ZERO, value, 0.0)
        zeros = positions[order == 0]
        if not len(zeros):
            return value
        values = np.broadcast_to(value, len(self.candles)).copy()
        values[zeros] = 0.0
        return values

    def _find(self, key: object) -> Any:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: object, value: NDArray[Any]) -> None:
        value.setflags(write=False)
        self._kept[key] = value
        self._bytes += value.nbytes
        while self._bytes > _MOST_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
