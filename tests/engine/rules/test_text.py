"""What is written reads back as the same expression, with no more in it than it needs."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backcast_engine.parameters import Choices, parameters_of
from backcast_engine.rules.check import condition_violations
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, Call, Column, Number, call
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.rules.text import text
from backcast_engine.strategies import STRATEGIES
from tests.engine.rules.expressions import NUMBERS, expressions, may_hold


@pytest.mark.slow
@settings(max_examples=300)
@given(expressions())
def test_every_condition_reads_back(expression):
    assert condition_violations(expression, "it") == []
    assert parse(text(expression), "it") == expression


@settings(max_examples=200)
@given(expressions(ValueKind.SERIES))
@example(call("negate", 5))
@example(call("negate", -5))
@example(call("negate", call("negate", 5)))
@example(call("subtract", CLOSE, -5))
@example(call("subtract", CLOSE, call("subtract", CLOSE, CLOSE)))
def test_every_series_reads_back(expression):
    assert parse(text(expression), "it", ValueKind.SERIES) == expression


@given(NUMBERS)
def test_numbers_read_back_to_the_last_bit(number):
    read = parse(text(number), "it", ValueKind.SERIES)
    assert (read.value, math.copysign(1, read.value)) == (number.value, math.copysign(1, number.value))


A, B, C = (Call("greater", (Column(name), Number(1.0))) for name in ("open", "close", "volume"))


@pytest.mark.parametrize(
    ("expression", "line"),
    [
        (call("rsi", CLOSE, 14), "rsi(14)"),
        (call("rsi", HIGH, 14), "rsi(high, 14)"),
        (call("rsi", 5, 14), "rsi(5, 14)"),
        (call("atr", HIGH, LOW, CLOSE, 14), "atr(14)"),
        (call("atr", LOW, HIGH, CLOSE, 14), "atr(low, high, close, 14)"),
        (call("true_range", HIGH, LOW, CLOSE), "true_range()"),
        (call("bollinger_lower", CLOSE, 20, 2.5), "bollinger_lower(20, 2.5)"),
        (call("crosses_above", CLOSE, 30), "crosses_above(close, 30)"),
        (call("or", call("and", A, B), C), "open > 1 and close > 1 or volume > 1"),
        (call("and", call("or", A, B), C), "(open > 1 or close > 1) and volume > 1"),
        (call("and", A, call("and", B, C)), "open > 1 and (close > 1 and volume > 1)"),
        (call("and", call("and", A, B), C), "open > 1 and close > 1 and volume > 1"),
        (call("not", A), "not open > 1"),
        (call("not", call("and", A, B)), "not (open > 1 and close > 1)"),
        (call("and", call("not", A), B), "not open > 1 and close > 1"),
        (call("multiply", call("add", CLOSE, 1), 2), "(close + 1) * 2"),
        (call("add", CLOSE, call("multiply", 1, 2)), "close + 1 * 2"),
        (call("divide", CLOSE, call("multiply", 1, 2)), "close / (1 * 2)"),
        (call("subtract", CLOSE, call("add", 1, 2)), "close - (1 + 2)"),
        (call("negate", call("add", CLOSE, 1)), "-(close + 1)"),
        (call("multiply", call("negate", CLOSE), -2), "-close * -2"),
        (call("negate", 5), "-(5)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_texts_have_as_few_parentheses_as_needed(expression, line):
    assert text(expression) == line


def _with_any_parameters(strategy):
    def values(parameter):
        spec = parameter.spec
        if isinstance(spec, Choices):
            return st.sampled_from(spec.options)
        if parameter.type is int:
            return st.integers(int(spec.minimum), int(spec.maximum))
        return st.floats(spec.minimum, spec.maximum)

    drawn = st.builds(strategy, **{one.name: values(one) for one in parameters_of(strategy)})
    return drawn.filter(lambda one: not one.violations())


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"rules"}))
@given(st.data())
@settings(max_examples=25)
def test_every_strategy_reads_back(name, data):
    # An RSI is never below 0: with such a level, a strategy never trades, and its rules say so.
    rules = data.draw(
        _with_any_parameters(STRATEGIES[name])
        .map(lambda one: one.rules())
        .filter(lambda rules: all(map(may_hold, rules.conditions())))
    )
    assert parse(text(rules.entry), "entry") == rules.entry
    assert rules.exit is None or parse(text(rules.exit), "exit") == rules.exit
