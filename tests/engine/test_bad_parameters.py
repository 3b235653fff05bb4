"""Every bad parameter is refused by its name."""

import math

import pytest

from services.compute.engine import Execution
from services.compute.engine.strategies.bollinger import Bollinger
from services.compute.engine.strategies.ma_cross import MaCross
from services.compute.engine.strategies.rsi import Rsi


def bad_fields(checked):
    violations = checked.violations()
    assert all(violation.reason for violation in violations)
    return [violation.field for violation in violations]


BAD_PERIODS = [0, -1, 10**9, math.nan, math.inf, -math.inf]
BAD_LEVELS = [-1.0, 100.1, 1e9, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("value", [*BAD_PERIODS, 1])
def test_rsi_period(value):
    assert bad_fields(Rsi(period=value)) == ["strategy.rsi.period"]


@pytest.mark.parametrize("value", BAD_LEVELS)
def test_rsi_levels(value):
    assert bad_fields(Rsi(oversold=value)) == ["strategy.rsi.oversold"]
    assert bad_fields(Rsi(overbought=value)) == ["strategy.rsi.overbought"]


@pytest.mark.parametrize("levels", [(70.0, 30.0), (50.0, 50.0)])
def test_rsi_levels_in_the_wrong_order(levels):
    assert bad_fields(Rsi(14, *levels)) == ["strategy.rsi.oversold"]


@pytest.mark.parametrize("value", BAD_PERIODS)
def test_ma_cross_periods(value):
    assert bad_fields(MaCross(fast=value)) == ["strategy.ma_cross.fast"]
    assert bad_fields(MaCross(slow=value)) == ["strategy.ma_cross.slow"]


@pytest.mark.parametrize("periods", [(50, 20), (20, 20)])
def test_ma_cross_periods_in_the_wrong_order(periods):
    assert bad_fields(MaCross(*periods)) == ["strategy.ma_cross.fast"]


@pytest.mark.parametrize("value", [*BAD_PERIODS, 1])
def test_bollinger_period(value):
    assert bad_fields(Bollinger(period=value)) == ["strategy.bollinger.period"]


@pytest.mark.parametrize("value", [0.0, -1.0, 1e9, math.nan, math.inf, -math.inf])
def test_bollinger_width(value):
    assert bad_fields(Bollinger(width=value)) == ["strategy.bollinger.width"]


@pytest.mark.parametrize("value", ["SIDEWAYS", "", None])
def test_choices(value):
    assert bad_fields(Bollinger(exit_band=value)) == ["strategy.bollinger.exit_band"]
    assert bad_fields(MaCross(kind=value)) == ["strategy.ma_cross.kind"]


def test_periods_are_whole():
    assert bad_fields(Rsi(period=14.5)) == ["strategy.rsi.period"]


def test_all_of_them_are_named_at_once():
    assert bad_fields(Rsi(0, math.nan, 1e9)) == [
        "strategy.rsi.period",
        "strategy.rsi.oversold",
        "strategy.rsi.overbought",
    ]


@pytest.mark.parametrize(
    "strategy",
    [
        Rsi(2, 0.0, 100.0),
        Rsi(10_000),
        MaCross(1, 2),
        MaCross(9_999, 10_000),
        Bollinger(2, 0.01),
        Bollinger(10_000, 100.0),
    ],
    ids=repr,
)
def test_the_ends_of_the_ranges_are_good(strategy):
    assert bad_fields(strategy) == []


@pytest.mark.parametrize("value", [-0.001, 1.0, 2.0, math.nan, math.inf, -math.inf])
def test_fee(value):
    assert bad_fields(Execution(fee_rate=value)) == ["execution.fee_rate"]


@pytest.mark.parametrize("value", [-0.1, 10_000.0, math.nan, math.inf, -math.inf])
def test_slippage(value):
    assert bad_fields(Execution(slippage_bps=value)) == ["execution.slippage_bps"]


@pytest.mark.parametrize("value", [0.0, -1.0, 1e16, math.nan, math.inf, -math.inf])
def test_capital(value):
    assert bad_fields(Execution(initial_capital=value)) == ["execution.initial_capital"]


def test_all_of_an_execution_is_named_at_once():
    assert bad_fields(Execution(-1.0, math.nan, 0.0)) == [
        "execution.fee_rate",
        "execution.slippage_bps",
        "execution.initial_capital",
    ]


def test_good_executions():
    assert bad_fields(Execution()) == []
    assert bad_fields(Execution(fee_rate=0.0, slippage_bps=0.0, initial_capital=1e15)) == []
    assert bad_fields(Execution(fee_rate=0.999, slippage_bps=9_999)) == []
