"""Placeholders in rules: what reads back, what a combination fills in, and which values are refused."""

import pytest

from backcast_engine.errors import InvalidInput
from backcast_engine.rules.check import rules_violations
from backcast_engine.rules.nodes import CLOSE, Placeholder, Rules, call
from backcast_engine.rules.parse import parse
from backcast_engine.rules.placeholders import filled, labels_of, refused_values
from backcast_engine.rules.text import text

LINES = [
    "rsi({n}) < {low} and close > sma({trend})",
    "rsi(high, {n}) < 30",
    "macd({fast}, {slow}, 9) > {level}",
    "close > sma(5 * {n} + 1)",
    "-{n} > rsi(14) or {n} * close > 2",
    "bollinger_upper(20, {width}) < close",
]


@pytest.mark.parametrize("line", LINES)
def test_a_rule_with_placeholders_reads_back(line: str) -> None:
    expression = parse(line, "it")
    assert text(expression) == line
    assert parse(text(expression), "it") == expression


@pytest.mark.parametrize(
    ("line", "with_numbers"),
    [
        ("rsi({n}) < {low} and close > sma({n})", "rsi(5) < 30.5 and close > sma(5)"),
        ("rsi(period={n}) < {low}", "rsi(5) < 30.5"),
        ("close > sma(5 * {n} + 1)", "close > sma(26)"),
        ("close[{n}] > close", "close[5] > close"),
        ("{low} * close > {n} + 1", "30.5 * close > 5 + 1"),
        ("{n} < rsi(14) < {low}", "5 < rsi(14) < 30.5"),
    ],
)
def test_filled_rules_are_those_that_have_the_numbers_written(line: str, with_numbers: str) -> None:
    rules = filled(Rules(parse(line, "it")), {"n": 5, "low": 30.5})
    assert rules.entry == parse(with_numbers, "it")


def test_parts_without_placeholders_stay_the_same_objects() -> None:
    rules = Rules(parse("rsi({n}) < 30 and close > sma(200)", "it"))
    entry = filled(rules, {"n": 5}).entry
    assert entry.arguments[1] is rules.entry.arguments[1]  # type: ignore[union-attr]


def test_placeholders_of_both_conditions_are_named_once() -> None:
    rules = Rules(parse("rsi({n}) < {low}", "it"), parse("rsi({n}) > {high}", "it"))
    assert labels_of(rules) == ("high", "low", "n")


def test_a_value_that_a_function_refuses_is_named_with_its_combination() -> None:
    rules = Rules(parse("rsi({n}) < {low} and close > sma({a} - {b})", "it"))
    values = {"n": [1, 2, 2.5], "low": [30], "a": [10, 20], "b": [9.5, 15]}
    assert list(refused_values(rules, values)) == [
        ({"a": 10, "b": 9.5}, "period of sma must be a whole number, not 0.5"),
        ({"a": 10, "b": 15}, "period of sma must be from 1 to 10000, not -5"),
        ({"a": 20, "b": 9.5}, "period of sma must be a whole number, not 10.5"),
        ({"n": 1}, "period of rsi must be from 2 to 10000, not 1"),
        ({"n": 2.5}, "period of rsi must be a whole number, not 2.5"),
    ]


def test_rules_outside_a_sweep_have_no_placeholders() -> None:
    rules = Rules(call("less", call("rsi", CLOSE, 14), Placeholder("low")))
    (violation,) = rules_violations(rules, "strategy.rules")
    assert violation.field == "strategy.rules.entry.arguments[1]"
    assert violation.reason == "{low} is a placeholder, which only a sweep fills in"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rsi({n) < 30", "'{' means nothing here: a placeholder is a name in braces, as {n}"),
        ("rsi({}) < 30", "a placeholder is a name in braces"),
        ("rsi({1}) < 30", "a placeholder is a name in braces"),
        ("rsi({n}, 14) < 30", "series of rsi must read a column"),
        ("{n}", "expected a condition, not a number"),
        ("rsi(close, {n} * close) < 30", "period of rsi must be a number"),
    ],
)
def test_a_placeholder_stands_only_where_a_number_can(line: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(line, "it")
    assert reason in str(caught.value)
