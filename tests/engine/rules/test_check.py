"""What is wrong with an expression, by the name of the field, and expressions made to break things."""

import copy
import pickle

import pytest

from backcast_engine.rules import Call, Column, Number, Rules
from backcast_engine.rules.check import MAX_DEPTH, MAX_NODES
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, Expression, call, walk
from backcast_engine.strategies.custom_rules import CustomRules

GOOD = CLOSE > 0


def faults(entry, exit_=None):
    return [(violation.field, violation.reason) for violation in CustomRules(entry, exit_).violations()]


def fields(entry, exit_=None):
    return [field for field, _ in faults(entry, exit_)]


def nested(depth, node=CLOSE):
    for _ in range(depth):
        node = Call("negate", (node,))
    return node


@pytest.mark.parametrize(
    ("entry", "field", "reason"),
    [
        (CLOSE, "entry", "must be a condition, not a number"),
        (Number(1.0), "entry", "must be a condition, not a number"),
        (call("add", CLOSE, 1), "entry", "must be a condition, not a number"),
        (Column("price"), "entry", "there is no column 'price'"),
        (Column("open_time_s"), "entry", "there is no column 'open_time_s'"),
        (Column("__class__") > 0, "entry.arguments[0]", "there is no column '__class__'"),
        (call("nonsense", CLOSE), "entry", "there is no function 'nonsense'"),
        (call("__import__", CLOSE), "entry", "there is no function '__import__'"),
        (call("less", CLOSE), "entry", "less takes 2 arguments, not 1"),
        (call("less", CLOSE, 1, 2), "entry", "less takes 2 arguments, not 3"),
        (call("not"), "entry", "not takes 1 arguments, not 0"),
        (call("less", 1, GOOD), "entry.arguments[1]", "must be a number, not a condition"),
        (call("and", GOOD, CLOSE), "entry.arguments[1]", "must be a condition, not a number"),
        (call("sma", GOOD, 3) > 0, "entry.arguments[0].arguments[0]", "must be a number, not a condition"),
        (call("sma", CLOSE, 0) > 0, "entry.arguments[0].arguments[1]", "must be from 1 to 10000, not 0"),
        (call("sma", CLOSE, 10_001) > 0, "entry.arguments[0].arguments[1]", "must be from 1 to 10000"),
        (call("sma", CLOSE, 2.5) > 0, "entry.arguments[0].arguments[1]", "must be a whole number, not 2.5"),
        (call("sma", CLOSE, CLOSE) > 0, "entry.arguments[0].arguments[1]", "must be a number"),
        (call("sma", CLOSE, float("nan")) > 0, "entry.arguments[0].arguments[1]", "must be a whole number"),
        (call("sma", CLOSE, float("inf")) > 0, "entry.arguments[0].arguments[1]", "must be a whole number"),
        (call("rsi", CLOSE, 1) > 0, "entry.arguments[0].arguments[1]", "must be from 2 to 10000, not 1"),
        (call("shift", CLOSE, -1) > 0, "entry.arguments[0].arguments[1]", "must be from 1 to 10000, not -1"),
        (call("shift", CLOSE, 0) > 0, "entry.arguments[0].arguments[1]", "must be from 1 to 10000, not 0"),
        (
            call("supertrend", HIGH, LOW, CLOSE, 3, float("nan")) > 0,
            "entry.arguments[0].arguments[4]",
            "must be from 0.01 to 100, not nan",
        ),
        (
            call("greater", CLOSE, float("nan")),
            "entry.arguments[1]",
            "must be a number up to 1e+300, not nan",
        ),
        (
            call("greater", CLOSE, float("inf")),
            "entry.arguments[1]",
            "must be a number up to 1e+300, not inf",
        ),
        (CLOSE > -1e301, "entry.arguments[1]", "must be a number up to 1e+300, not -1e+301"),
    ],
)
def test_each_fault_is_named_by_its_field(entry, field, reason):
    ((found_field, found_reason),) = faults(entry)
    assert found_field == f"strategy.rules.{field}"
    assert reason in found_reason
    # The same in the exit.
    assert fields(GOOD, entry) == [f"strategy.rules.{field.replace('entry', 'exit', 1)}"]


def test_all_faults_are_named_at_once():
    entry = call("and", call("sma", CLOSE, 0) > Column("x"), call("rsi", CLOSE, 1) < 1)
    assert fields(entry, CLOSE) == [
        "strategy.rules.entry.arguments[0].arguments[0].arguments[1]",
        "strategy.rules.entry.arguments[0].arguments[1]",
        "strategy.rules.entry.arguments[1].arguments[0].arguments[1]",
        "strategy.rules.exit",
    ]


def test_rules_beyond_the_limit_of_the_depth_are_refused():
    # The comparison and the column are two.
    assert faults(nested(MAX_DEPTH - 2) > 0) == []
    ((field, reason),) = faults(nested(MAX_DEPTH - 1) > 0)
    assert field == "strategy.rules.entry"
    assert reason == f"is nested {MAX_DEPTH + 1} deep, at most {MAX_DEPTH} are allowed"


def balanced(leaves):
    """Return a sum of as many columns: 2 * leaves - 1 parts."""
    row: list[Expression] = [CLOSE] * leaves
    while len(row) > 1:
        pairs = [call("add", a, b) for a, b in zip(row[::2], row[1::2], strict=False)]
        row = pairs + ([row[-1]] if len(row) % 2 else [])
    return row[0]


def test_rules_beyond_the_limit_of_the_size_are_refused():
    # 2 * 99 - 1 parts, the number and the comparison: 199.
    assert sum(1 for _ in walk(balanced(99) > 0)) == MAX_NODES - 1
    assert faults(balanced(99) > 0) == []
    ((field, reason),) = faults(balanced(100) > 0)
    assert field == "strategy.rules.entry"
    assert reason == f"has {MAX_NODES + 1} parts, at most {MAX_NODES} are allowed"


# Expressions made to break things


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_hostile_depth_is_refused(depth):
    for function in ("negate", "not", "nonsense"):
        node: Expression = CLOSE
        for _ in range(depth):
            node = Call(function, (node,))
        ((field, reason),) = faults(node)
        assert field == "strategy.rules.entry"
        assert "deep" in reason


def test_a_hostile_width_is_refused():
    ((field, reason),) = faults(Call("add", (CLOSE,) * 100_000))
    assert field == "strategy.rules.entry"
    assert "parts" in reason


def test_a_tree_of_a_million_million_leaves_made_of_forty_nodes_is_refused():
    node: Expression = CLOSE
    for _ in range(40):
        node = Call("add", (node, node))
    ((field, _),) = faults(node > 0)
    assert field == "strategy.rules.entry"


def test_a_shallow_tree_of_a_thousand_million_leaves_is_refused():
    # Within the depth that is allowed: counting to the end would take minutes.
    node: Expression = CLOSE
    for _ in range(MAX_DEPTH - 2):
        node = Call("add", (node, node))
    ((field, reason),) = faults(node > 0)
    assert field == "strategy.rules.entry"
    assert "parts" in reason


@pytest.mark.parametrize("entry", [nested(MAX_DEPTH - 2) > 0, balanced(99) > 0], ids=["deep", "large"])
def test_what_passed_can_be_compared_hashed_and_sent(entry):
    strategy = CustomRules(entry, entry)
    assert strategy.violations() == []
    other = CustomRules(copy.deepcopy(entry), copy.deepcopy(entry))
    assert strategy == other
    assert hash(strategy) == hash(other)
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    assert len(repr(strategy)) > 100


def test_rules_know_their_conditions():
    assert Rules(GOOD).conditions() == (GOOD,)
    assert Rules(GOOD, GOOD).conditions() == (GOOD, GOOD)


def test_rules_know_their_columns_and_warmup():
    entry = call("crosses_above", call("sma", call("highest", HIGH, 5), 3), call("shift", LOW, 2))
    strategy = CustomRules(entry, call("rsi", CLOSE, 4) > 50)
    assert strategy.columns == {"high", "low", "close"}
    assert strategy.lookback_candles == 1 + (3 - 1) + (5 - 1)
    assert strategy.warmup_candles == 80
    assert CustomRules(entry).warmup_candles == 7
