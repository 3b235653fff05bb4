"""Strategies and executions travel as they are; what a message leaves out has the default."""

import dataclasses

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast.backtest.v1 import execution_pb2, strategy_pb2
from backcast_engine.errors import InvalidInput, Violations
from backcast_engine.execution import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
)
from backcast_engine.rules.nodes import CLOSE
from backcast_engine.strategies import STRATEGIES
from backcast_engine.strategies.bollinger import Bollinger, ExitBand
from backcast_engine.strategies.custom_rules import CustomRules
from services.wire.backtests import execution_to, read_strategy, strategy_from, strategy_to
from tests.engine.rules.expressions import expressions
from tests.requests import execution_of

CONDITION = {"function": "FUNCTION_LESS", "arguments": [{"column": "COLUMN_CLOSE"}, {"number": 1}]}


@settings(max_examples=20)
@given(expressions(), st.none() | expressions())
def test_rules_come_back_from_their_message(entry, exit_):
    rules = CustomRules(entry, exit_)
    message = strategy_to(rules)
    assert message.rules.HasField("exit") == (exit_ is not None)
    # Some of these conditions compare what nobody may compare.
    assert read_strategy(message, Violations()) == rules


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - {"rules"}))
def test_every_strategy_has_a_message_of_the_same_fields(name):
    strategy = STRATEGIES[name]()
    message = strategy_to(strategy)
    assert message.WhichOneof("kind") == name
    assert MessageToDict(message, preserving_proto_field_name=True)[name].keys() == {
        field.name for field in dataclasses.fields(strategy)
    }
    assert strategy_from(message) == strategy
    assert strategy_from(ParseDict({name: {}}, strategy_pb2.Strategy())) == strategy


def test_a_choice_of_a_strategy_is_an_enum_of_its_message():
    strategy = strategy_from(ParseDict({"bollinger": {"exitBand": 2}}, strategy_pb2.Strategy()))
    assert strategy == Bollinger(exit_band=ExitBand.MIDDLE)


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({}, "strategy", "is required: one of bollinger, buy_and_hold"),
        ({"rules": {}}, "strategy.rules.entry", "is required"),
        ({"rules": {"exit": CONDITION}}, "strategy.rules.entry", "is required"),
        ({"rules": {"entry": {}}}, "strategy.rules.entry", "needs a number, a column, a function or a"),
        (
            {"rules": {"entry": CONDITION, "exit": {"function": 6, "arguments": [{"number": 1}, {}]}}},
            "strategy.rules.exit.arguments[1]",
            "needs a number, a column, a function or a placeholder",
        ),
        ({"maCross": {"kind": 7}}, "strategy.ma_cross.kind", "must be one of SMA, EMA, not 7"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_strategy_is_named(fields, place, reason):
    with pytest.raises(InvalidInput) as caught:
        strategy_from(ParseDict(fields, strategy_pb2.Strategy()))
    (violation,) = caught.value.violations
    assert violation.field == place
    assert violation.reason.startswith(reason)


def test_what_cannot_be_read_of_rules_does_not_hide_what_else_is_wrong():
    broken = {"function": "FUNCTION_SMA", "arguments": [{"column": 77}, {"number": 1.5}]}
    fields = {"entry": {"function": "FUNCTION_LESS", "arguments": [broken, {}]}, "exit": {"number": 1}}
    with pytest.raises(InvalidInput) as caught:
        strategy_from(ParseDict({"rules": fields}, strategy_pb2.Strategy()))
    entry = "strategy.rules.entry"
    assert [violation.field for violation in caught.value.violations] == [
        *(f"{entry}.arguments[0].arguments[0]", f"{entry}.arguments[1]"),
        *(f"{entry}.arguments[0].arguments[1]", "strategy.rules.exit"),
    ]


NUMBERS = st.floats(allow_nan=False)
DISTANCES = st.none() | st.builds(Distance, fraction=NUMBERS) | st.builds(Distance, atr_multiple=NUMBERS)
SIZES = st.one_of(
    st.fixed_dictionaries({"equity_fraction": NUMBERS}),
    st.fixed_dictionaries({"quote_amount": NUMBERS}),
    st.fixed_dictionaries({"volatility_target": st.builds(VolatilityTarget, NUMBERS, st.integers(-5, 5))}),
)


@st.composite
def _executions(draw) -> Execution:
    return Execution(
        fee_rate=draw(NUMBERS),
        slippage_bps=draw(NUMBERS),
        initial_capital=draw(NUMBERS),
        fill_time=draw(st.sampled_from(FillTime)),
        direction=draw(st.sampled_from(Direction)),
        stop_loss=draw(DISTANCES),
        take_profit=draw(DISTANCES),
        trailing_stop=draw(DISTANCES),
        atr_period=draw(st.integers(-5, 5)),
        borrow_rate=draw(NUMBERS),
        funding_rate=draw(NUMBERS),
        allow_high_costs=draw(st.booleans()),
        break_rule=draw(st.sampled_from(BreakRule)),
        **draw(SIZES),
    )


@settings(max_examples=100)
@given(_executions())
def test_every_execution_comes_back(execution):
    message = execution_to(execution)
    assert execution_of(execution_pb2.Execution.FromString(message.SerializeToString())) == execution


def test_the_message_of_an_execution_says_everything():
    message = execution_to(Execution())
    assert message.WhichOneof("size") == "equity_fraction"
    left_out = {field.name for field in message.DESCRIPTOR.fields} - {
        field.name for field, _ in message.ListFields()
    }
    assert left_out == {
        *("quote_amount", "volatility_target", "stop_loss", "take_profit", "trailing_stop"),
        # False.
        "allow_high_costs",
    }


def test_an_empty_message_is_the_usual_execution():
    assert execution_of(execution_pb2.Execution()) == Execution()


def test_zeros_are_distinguished_from_omitted_values():
    fields = {"equityFraction": 0.0, "stopLoss": {"fraction": 0.0}, "atrPeriod": 0, "feeRate": 0.0}
    execution = execution_of(ParseDict(fields, execution_pb2.Execution()))
    assert execution == Execution(
        equity_fraction=0.0, stop_loss=Distance(fraction=0.0), atr_period=0, fee_rate=0.0
    )


def test_a_volatility_target_without_a_period_has_the_usual_one():
    message = execution_pb2.Execution(volatility_target=execution_pb2.VolatilityTarget(annual_volatility=0.4))
    assert execution_of(message).volatility_target == VolatilityTarget(0.4)
    message.volatility_target.ClearField("annual_volatility")
    (violation,) = execution_of(message).violations()
    assert violation.field == "execution.volatility_target.annual_volatility"


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"fillTime": 9}, "execution.fill_time", "must be one of NEXT_OPEN, SAME_CLOSE, not 9"),
        ({"direction": -1}, "execution.direction", "one of LONG_ONLY, SHORT_ONLY, LONG_SHORT, not -1"),
        ({"stopLoss": {}}, "execution.stop_loss", "needs a fraction or an atr_multiple"),
        ({"takeProfit": {}}, "execution.take_profit", "needs a fraction or an atr_multiple"),
        ({"trailingStop": {}}, "execution.trailing_stop", "needs a fraction or an atr_multiple"),
    ],
    ids=str,
)
def test_what_is_wrong_with_an_execution_is_named(fields, place, reason):
    with pytest.raises(InvalidInput) as caught:
        execution_of(ParseDict(fields, execution_pb2.Execution()))
    (violation,) = caught.value.violations
    assert violation.field == place
    assert reason in violation.reason


def test_a_series_is_no_entry():
    with pytest.raises(InvalidInput) as caught:
        strategy_from(strategy_to(CustomRules(CLOSE)))
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == (
        "strategy.rules.entry",
        "must be a condition, not a number",
    )
