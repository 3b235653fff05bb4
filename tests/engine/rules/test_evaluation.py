"""Expressions against a naive recursive evaluator, and three-valued logic by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from backcast_engine.rules import Call, Evaluation
from backcast_engine.rules.functions import FUNCTIONS
from backcast_engine.rules.nodes import CLOSE, HIGH, OPEN, Column, Number, call
from backcast_engine.rules.signature import Input
from backcast_engine.strategies.custom_rules import CustomRules
from tests.engine import reference
from tests.engine.inputs import make_candles, real_candles, run
from tests.engine.random_inputs import histories

from .random_rules import conditions, series

UNDEFINED = call("divide", CLOSE, 0)
CLOSES = make_candles([1.0, 2, 3, 2, 1])
NEVER, ALWAYS = [False] * 5, [True] * 5


def columns_of(candles):
    return reference.Columns(*(column.tolist() for column in candles.columns()))


def holds(condition, candles=CLOSES):
    return Evaluation(candles).condition(condition).tolist()


def values(expression, candles=CLOSES):
    return [None if np.isnan(value) else value for value in Evaluation(candles).series(expression)]


@pytest.mark.slow
@settings(max_examples=400)
@given(candles=histories(Interval.HOUR_1), condition=conditions(4))
def test_random_conditions_hold_where_the_references_do(candles, condition):
    expected = reference.truth(condition, columns_of(candles))
    found, opposite = Evaluation(candles), Evaluation(candles)
    is_true, is_false = found.condition(condition), opposite.condition(call("not", condition))
    for t, (truth, clear) in enumerate(zip(expected.values, expected.clear, strict=True)):
        if clear:
            assert (is_true[t], is_false[t]) == (truth is True, truth is False), t
    assert not (is_true & is_false).any()
    event(f"{10 * round(10 * sum(expected.clear) / len(candles))} % of the candles are clear")
    for truth in set(expected.values):
        event(f"somewhere {truth}")


@settings(max_examples=300)
@given(candles=histories(Interval.HOUR_1), expression=series(3))
def test_random_series_have_the_references_values(candles, expression):
    expected = reference.series(expression, columns_of(candles))
    found = Evaluation(candles).series(expression)
    assert found.shape == candles.close.shape
    assert not np.isinf(found).any()
    for t, (value, error) in enumerate(zip(expected.values, expected.errors, strict=True)):
        if error == np.inf:
            continue
        if value is None:
            assert np.isnan(found[t]), t
        else:
            assert abs(found[t] - value) <= error, t


# Three values


@pytest.mark.parametrize("comparison", ["less", "less_equal", "greater", "greater_equal"])
def test_a_comparison_with_the_undefined_neither_holds_nor_not(comparison):
    for arguments in ((UNDEFINED, CLOSE), (CLOSE, UNDEFINED), (UNDEFINED, UNDEFINED)):
        condition = call(comparison, *arguments)
        assert holds(condition) == holds(call("not", condition)) == NEVER
        assert holds(call("not", call("not", condition))) == NEVER


KNOWN = {True: CLOSE > 0, False: CLOSE < 0, None: UNDEFINED > 0}
KLEENE = [
    ("and", True, True, True),
    ("and", True, False, False),
    ("and", False, False, False),
    ("and", True, None, None),
    ("and", False, None, False),
    ("and", None, None, None),
    ("or", True, True, True),
    ("or", True, False, True),
    ("or", False, False, False),
    ("or", True, None, True),
    ("or", False, None, None),
    ("or", None, None, None),
]


@pytest.mark.parametrize(("operator", "left", "right", "expected"), KLEENE)
def test_conditions_of_the_undefined_follow_kleenes_tables(operator, left, right, expected):
    for sides in ((left, right), (right, left)):
        condition = call(operator, *(KNOWN[side] for side in sides))
        assert holds(condition) == [expected is True] * 5
        assert holds(call("not", condition)) == [expected is False] * 5


def test_division_by_zero_is_undefined_there_and_nowhere_else():
    rising = call("divide", 1, call("subtract", CLOSE, 2))
    assert values(rising) == [-1, None, 1, None, -1]
    assert holds(rising > 0) == [False, False, True, False, False]
    assert holds(call("not", rising > 0)) == [True, False, False, False, True]
    assert values(call("divide", 0, 0)) == values(UNDEFINED) == [None] * 5


@pytest.mark.parametrize("operand", [call("divide", 0, 0), call("multiply", 1e200, 1e200)])
def test_an_undefined_number_is_undefined_at_every_candle(operand):
    assert (
        values(operand)
        == values(call("sma", operand, 2))
        == values(call("add", CLOSE, operand))
        == [None] * 5
    )
    assert holds(call("not", call("crosses_above", CLOSE, operand))) == NEVER


def test_what_no_float_holds_is_undefined():
    large = call("multiply", 1e200, call("multiply", CLOSE, 1e200))
    assert values(large) == [None] * 5
    assert holds(large > 0) == holds(large < 0) == NEVER


@pytest.mark.filterwarnings("error")
def test_no_warning_reaches_the_caller_of_a_backtest():
    result = run(
        CLOSES, CustomRules(UNDEFINED > 0, call("divide", CLOSE, call("subtract", CLOSE, CLOSE)) < 1)
    )
    assert result.trades == ()


def test_not_of_an_indicator_that_has_not_seen_enough_is_no_signal():
    condition = call("not", call("sma", CLOSE, 3) > 100)
    assert holds(condition) == [False, False, True, True, True]


# Crosses and shifts


def test_a_series_crosses_another_where_it_passes_it():
    # 1 2 3 2 1 against 2: above at 2 only, where it was on it before; below at 4 only.
    assert holds(call("crosses_above", CLOSE, 2)) == [False, False, True, False, False]
    assert holds(call("crosses_below", CLOSE, 2)) == [False, False, False, False, True]
    # On the first candle nobody knows, and its opposite does not hold either, unless it is not above at all.
    assert holds(call("not", call("crosses_above", CLOSE, 2))) == [True, True, False, True, True]
    assert holds(call("not", call("crosses_below", CLOSE, 2))) == [False, True, True, True, False]


def test_a_cross_needs_a_defined_candle_before():
    shifted = call("shift", CLOSE, 1)
    assert values(shifted) == [None, 1, 2, 3, 2]
    # At 1 the close of 2 is above 1, and what was before is undefined.
    assert holds(call("crosses_above", CLOSE, shifted)) == NEVER
    assert holds(call("crosses_below", CLOSE, shifted)) == [False, False, False, True, False]


def test_constants_are_the_same_at_every_candle():
    assert values(call("add", 1, 2)) == [3] * 5
    assert holds(call("less", 1, 2)) == ALWAYS
    assert values(call("sma", call("negate", 4), 2)) == [None, -4, -4, -4, -4]


# What expressions have in common


def test_a_common_part_is_computed_once():
    evaluation = Evaluation(CLOSES)
    # Equal, not the same object: a cache of expressions may have given up the first one.
    first, second = (Call("sma", (call("add", HIGH, OPEN), Number(2.0))) for _ in range(2))
    assert first is not second
    assert evaluation.series(first) is evaluation.series(second)
    assert evaluation.condition(first > 3) is evaluation.condition(second > 3)


def test_common_parts_are_not_computed_again(monkeypatch):
    calls = []
    function = FUNCTIONS["sma"]
    compute = function.compute
    assert compute

    def counted(*arguments):
        calls.append(arguments)
        return compute(*arguments)

    monkeypatch.setitem(FUNCTIONS, "sma", replace(function, compute=counted))
    # The mean of a column alone would come from its ticks.
    average = call("sma", call("add", CLOSE, CLOSE), 2)
    evaluation = Evaluation(CLOSES)
    evaluation.condition(
        call("and", average > 1, call("or", average < 3, call("crosses_above", average, average)))
    )
    evaluation.condition(call("not", average > 1))
    assert len(calls) == 1


@pytest.mark.parametrize("expression", [call("sma", CLOSE, 2), CLOSE, call("add", 1, 2)])
def test_results_cannot_be_spoilt(expression):
    evaluation = Evaluation(CLOSES)
    before = evaluation.series(expression).copy()
    with pytest.raises(ValueError, match="read-only"):
        evaluation.condition(expression > 0)[0] = True
    if isinstance(expression, Call) and expression.function == "sma":
        with pytest.raises(ValueError, match="read-only"):
            evaluation.series(expression)[0] = 5
    assert np.array_equal(evaluation.series(expression), before, equal_nan=True)


def test_a_full_memory_gives_up_the_oldest_and_stays_right(monkeypatch):
    monkeypatch.setattr("backcast_engine.rules.evaluation._MOST_BYTES", 100)
    evaluation = Evaluation(CLOSES)
    for period in (1, 2, 3, 1, 2, 3):
        average = call("sma", CLOSE, period)
        assert np.array_equal(evaluation.series(average), Evaluation(CLOSES).series(average), equal_nan=True)
        assert np.array_equal(evaluation.condition(average > 2), Evaluation(CLOSES).condition(average > 2))


@pytest.mark.parametrize(
    ("first", "second"),
    [("macd", "macd_signal"), ("bollinger_lower", "bollinger_upper"), ("keltner_upper", "keltner_lower")],
)
def test_what_is_computed_together_is_computed_once(first, second):
    candles = real_candles("BTCUSDT")[:500]
    one, other = (Call(name, usual_arguments(name)) for name in (first, second))
    evaluation = Evaluation(candles)
    evaluation.series(one)
    # What it is made of is not looked at again.
    lost = replace(evaluation.candles, **{column: np.zeros(500) for column in VALUE_COLUMNS})
    evaluation.candles = lost
    assert evaluation.series(other).tobytes() == Evaluation(candles).series(other).tobytes()


def usual_arguments(name):
    return tuple(
        Column(argument.default) if isinstance(argument, Input) else Number(argument.default)
        for argument in FUNCTIONS[name].arguments
    )
