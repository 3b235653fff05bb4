"""Every bad field of an execution is refused by its name."""

import dataclasses
import math

import pytest

from backcast_engine import Direction, Distance, Execution, FillTime, VolatilityTarget

NO_NUMBERS = [math.nan, math.inf, -math.inf]
BAD_PERIODS = [0, -1, 10_001, 2.5, *NO_NUMBERS]
BAD = {
    "fee_rate": [-0.001, 0.0201, 0.1, 1.0, 2.0, *NO_NUMBERS],
    "slippage_bps": [-0.1, 500.1, 10_000.0, *NO_NUMBERS],
    "initial_capital": [0.0, -1.0, 1e16, *NO_NUMBERS],
    "equity_fraction": [0.0, -0.5, 1.001, *NO_NUMBERS],
    "quote_amount": [0.0, -1.0, 1e16, *NO_NUMBERS],
    "atr_period": BAD_PERIODS,
    "borrow_rate": [-100.1, 100.1, *NO_NUMBERS],
    "funding_rate": [-100.1, 100.1, *NO_NUMBERS],
    "stop_loss.fraction": [0.0, -0.1, 1.001, *NO_NUMBERS],
    "take_profit.fraction": [0.0, -0.1, 100.1, *NO_NUMBERS],
    "trailing_stop.fraction": [0.0, -0.1, 1.001, *NO_NUMBERS],
    "stop_loss.atr_multiple": [0.0, -1.0, 1_000.1, *NO_NUMBERS],
    "take_profit.atr_multiple": [0.0, -1.0, 1_000.1, *NO_NUMBERS],
    "trailing_stop.atr_multiple": [0.0, -1.0, 1_000.1, *NO_NUMBERS],
    "volatility_target.annual_volatility": [0.0, -0.1, 100.1, *NO_NUMBERS],
    "volatility_target.period": [1, *BAD_PERIODS],
}
GOOD: dict[str, list[object]] = {
    "fee_rate": [0.0, 0.02],
    "slippage_bps": [0.0, 500.0],
    "initial_capital": [1e-9, 1e15],
    "equity_fraction": [1e-9, 1.0],
    "quote_amount": [1e-9, 1e15],
    "atr_period": [1, 10_000],
    "borrow_rate": [-100.0, 0.0, 100.0],
    "funding_rate": [-100.0, 0.0, 100.0],
    "stop_loss.fraction": [1e-9, 1.0],
    "take_profit.fraction": [1e-9, 100.0],
    "trailing_stop.fraction": [1e-9, 1.0],
    "stop_loss.atr_multiple": [1e-9, 1_000.0],
    "take_profit.atr_multiple": [1e-9, 1_000.0],
    "trailing_stop.atr_multiple": [1e-9, 1_000.0],
    "volatility_target.annual_volatility": [1e-9, 100.0],
    "volatility_target.period": [2, 10_000],
}


def execution_with(field, value):
    name, _, part = field.partition(".")
    if name == "volatility_target":
        return Execution(volatility_target=dataclasses.replace(VolatilityTarget(0.2), **{part: value}))
    return Execution(**{name: Distance(**{part: value}) if part else value})


def bad_fields(execution):
    violations = execution.violations()
    assert all(violation.reason for violation in violations)
    return [violation.field for violation in violations]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in BAD for value in BAD[field]])
def test_bad_values_are_named(field, value):
    assert bad_fields(execution_with(field, value)) == [f"execution.{field}"]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in GOOD for value in GOOD[field]])
def test_the_ends_of_the_ranges_are_good(field, value):
    assert bad_fields(execution_with(field, value)) == []


def test_there_is_a_case_for_every_field():
    fields = {field.name for field in dataclasses.fields(Execution)}
    # Enumerations and flags have no bad values.
    assert {field.partition(".")[0] for field in BAD} == fields - {
        "fill_time",
        "direction",
        "break_rule",
        "allow_high_costs",
    }


@pytest.mark.parametrize(
    ("field", "value", "share"),
    [
        ("fee_rate", 0.1, "must be at most 0.02 (0.1 would be 10 %)"),
        ("slippage_bps", 1_000.0, "must be at most 500 (1000 would be 10 %)"),
    ],
)
def test_high_costs_have_to_be_meant(field, value, share):
    (violation,) = Execution(**{field: value}).violations()
    assert violation.field == f"execution.{field}"
    assert violation.reason.startswith(share)
    assert "execution.allow_high_costs" in violation.reason
    assert Execution(**{field: value}, allow_high_costs=True).violations() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("fee_rate", 1.0), ("fee_rate", -0.1), ("slippage_bps", 10_000.0), ("fee_rate", math.nan)],
)
def test_costs_that_cannot_be_are_never_allowed(field, value):
    assert bad_fields(Execution(**{field: value}, allow_high_costs=True)) == [f"execution.{field}"]


@pytest.mark.parametrize("name", ["stop_loss", "take_profit", "trailing_stop"])
@pytest.mark.parametrize("distance", [Distance(), Distance(0.1, 2.0)], ids=["neither", "both"])
def test_a_distance_is_one_of_two(name, distance):
    assert bad_fields(Execution(**{name: distance})) == [f"execution.{name}"]


def test_all_bad_fields_are_named_at_once():
    execution = Execution(
        fee_rate=-1.0,
        slippage_bps=math.nan,
        initial_capital=0.0,
        volatility_target=VolatilityTarget(0.0, 0),
        stop_loss=Distance(),
        trailing_stop=Distance(atr_multiple=-1.0),
        atr_period=0,
    )
    assert sorted(bad_fields(execution)) == [
        "execution.atr_period",
        "execution.fee_rate",
        "execution.initial_capital",
        "execution.slippage_bps",
        "execution.stop_loss",
        "execution.trailing_stop.atr_multiple",
        "execution.volatility_target.annual_volatility",
        "execution.volatility_target.period",
    ]


def test_good_executions_have_no_violation():
    assert bad_fields(Execution()) == []
    assert bad_fields(Execution(0.0, 0.0, 1e15, FillTime.SAME_CLOSE, Direction.LONG_SHORT)) == []
