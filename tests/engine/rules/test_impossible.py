"""Conditions that can never hold: those that are refused never do, and the reason says why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.functions import FUNCTIONS, LIBRARY
from backcast_engine.rules.impossible import ORDERS, impossible
from backcast_engine.rules.limits import limits_of
from backcast_engine.rules.nodes import Call, Number, On, walk
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import Constant, ValueKind
from tests.engine.inputs import real_candles
from tests.engine.random_inputs import histories
from tests.engine.rules.expressions import expressions
from tests.engine.rules.test_library import of_columns

CANDLES = real_candles("BTCUSDT")[:4_000]
# Values of TA-Lib are rounded.
ROUNDED = 1e-9
LIMITED = [
    name
    for name, function in FUNCTIONS.items()
    if function.gives is ValueKind.SERIES
    and all(argument.default is not None for argument in function.arguments)
    and np.isfinite(limits_of(of_columns(name))).any()
]


@pytest.mark.parametrize("name", LIMITED)
@given(data=st.data(), candles=histories(Interval.HOUR_1))
def test_the_values_of_a_function_are_within_its_limits(name, data, candles):
    function = FUNCTIONS[name]
    numbers = [
        Number(data.draw(st.integers(int(one.minimum), min(int(one.maximum), 20)).map(float)))
        if isinstance(one, Constant) and one.whole
        else Number(one.default)
        for one in function.constants
    ]
    node = of_columns(name, numbers)
    low, high = limits_of(node)
    for one in (candles, CANDLES[:500]):
        values = Evaluation(one).series(node)
        values = values[~np.isnan(values)]
        assert (values >= low - ROUNDED).all()
        assert (values <= high + ROUNDED).all()


def test_oscillators_times_and_distances_have_limits():
    assert len(LIMITED) > 90
    assert {"rsi", "willr", "stochastic_k", "hour", "atr", "cdldoji"} <= {*LIMITED}
    # Without the usual columns, the close may be anywhere.
    close_above = Call("willr", (*[of_columns("willr").arguments[1]] * 2, *of_columns("willr").arguments[2:]))
    assert np.isinf(limits_of(close_above)).all()


@given(
    left=expressions(ValueKind.SERIES, 6),
    right=expressions(ValueKind.SERIES, 6),
    function=st.sampled_from([*ORDERS]),
)
def test_what_is_refused_is_false_at_every_candle(left, right, function):
    comparison = Call(function, (left, right))
    # TA-Lib's values are rounded, and can be a little beyond.
    is_exact = not any(
        isinstance(node, On) or (isinstance(node, Call) and node.function in LIBRARY)
        for node in walk(comparison)
    )
    if is_exact and impossible(comparison):
        assert not (Evaluation(CANDLES[:300]).condition(comparison) == 1).any()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rsi(14) > 100", "this never holds: rsi(14) is from 0 to 100"),
        ("0 > rsi(14)", "this never holds: rsi(14) is from 0 to 100"),
        ("rsi(14) == 50 * 3", "this never holds: rsi(14) is from 0 to 100"),
        ("hour == 24", "this never holds: hour is from 0 to 23"),
        ("weekday < 1", "this never holds: weekday is from 1 to 7"),
        ("close < 0", "this never holds: close is at least 0"),
        ("-volume > 0", "this never holds: -volume is at most 0"),
        ("1 > 2", "this never holds"),
        ("1 == 0", "this never holds"),
        ("count(close > open, 5) > 5", "this never holds: count(close > open, 5) is from 0 to 5"),
        ("sma(rsi(14), 5)@1d > 100", "this never holds: sma(rsi(14), 5)@1d is from 0 to 100"),
        ("willr(14) > sign(close) + 1", "willr(14) is from -100 to 0 and sign(close) + 1 is from 0 to 2"),
        ("crosses_above(rsi(14), 100)", "this never crosses: rsi(14) is from 0 to 100"),
        ("crosses_below(rsi(14), 101)", "this never crosses: rsi(14) is from 0 to 100"),
        ("70 < rsi(14) < 30", "70 < rsi(14) and rsi(14) < 30 never hold together"),
        (
            "rsi(14) < 30 and volume > 3 and rsi(14) >= 30",
            "rsi(14) < 30 and rsi(14) >= 30 never hold together",
        ),
        ("hour == 3 and 5 == hour", "hour == 3 and 5 == hour never hold together"),
        ("close > open and open > close", "close > open and open > close never hold together"),
        ("crosses_below(close, open) and close == open", "never hold together"),
    ],
)
def test_what_can_never_hold_is_refused_with_the_reason(line, reason):
    with pytest.raises(InvalidInput, match=r"^it: at character 1: ") as refused:
        parse(line, "it")
    assert reason in str(refused.value)
    assert str(refused.value).endswith(f"\n  {line}\n  {'^' * len(line)}")


@pytest.mark.parametrize(
    "line",
    [
        "rsi(14) >= 100",
        "rsi(14) <= 0",
        "crosses_below(rsi(14), 100)",
        "crosses_above(rsi(14), 0)",
        "1 < 2",
        "30 < rsi(14) < 70",
        "rsi(14) <= 30 and rsi(14) >= 30",
        "hour == 3 or hour == 5",
        "hour != 3 and hour != 5",
        "rsi(14) < 30 and rsi(7) > 70",
        "close >= open and open >= close",
        "close > open and close@1d < open@1d",
        "rsi({n}) > {high} and rsi({n}) < {low}",
        "close - open < 0",
        "willr(high, low, open, 14) > 0",
    ],
)
def test_what_may_hold_is_parsed(line):
    parse(line, "it")
