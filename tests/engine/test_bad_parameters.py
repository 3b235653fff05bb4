"""Every bad parameter is refused by its name."""

import math
from dataclasses import replace

import pytest

from backcast_engine import STRATEGIES
from backcast_engine.parameters import Choices, parameters_of
from backcast_engine.strategies.bollinger import Bollinger
from backcast_engine.strategies.donchian import Donchian
from backcast_engine.strategies.keltner import Keltner
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.macd import Macd
from backcast_engine.strategies.roc_momentum import RocMomentum
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.rsi_trend import RsiTrend
from backcast_engine.strategies.stochastic import Stochastic
from backcast_engine.strategies.supertrend import Supertrend


def bad_fields(checked):
    violations = checked.violations()
    assert all(violation.reason for violation in violations)
    return [violation.field for violation in violations]


NUMBERS = [
    pytest.param(name, parameter, id=f"{name}.{parameter.name}")
    for name in STRATEGIES
    for parameter in parameters_of(STRATEGIES[name])
    if not isinstance(parameter.spec, Choices)
]


@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_every_number_has_two_ends(name, parameter):
    below, above = parameter.spec.minimum - 1, parameter.spec.maximum + 1
    for value in (below, above, -1e9, 1e9, math.nan, math.inf, -math.inf):
        bad = replace(
            STRATEGIES[name](), **{parameter.name: parameter.type(value) if math.isfinite(value) else value}
        )
        assert bad_fields(bad) == [f"strategy.{name}.{parameter.name}"]


@pytest.mark.parametrize(("name", "parameter"), NUMBERS)
def test_whole_numbers_are_whole(name, parameter):
    if parameter.type is int:
        assert bad_fields(replace(STRATEGIES[name](), **{parameter.name: 9.5})) == [
            f"strategy.{name}.{parameter.name}"
        ]


@pytest.mark.parametrize(
    ("strategy", "field"),
    [
        (Macd(26, 12), "macd.fast"),
        (Macd(26, 26), "macd.fast"),
        (Stochastic(oversold=80.0, overbought=20.0), "stochastic.oversold"),
        (Stochastic(oversold=50.0, overbought=50.0), "stochastic.oversold"),
        (RsiTrend(14, 70.0, 30.0), "rsi_trend.oversold"),
        (RocMomentum(20, -1.0, 1.0), "roc_momentum.sell_below"),
    ],
    ids=repr,
)
def test_parameters_in_the_wrong_order_are_named(strategy, field):
    assert bad_fields(strategy) == [f"strategy.{field}"]


BAD_PERIODS = [0, -1, 10**9, math.nan, math.inf, -math.inf]
BAD_LEVELS = [-1.0, 100.1, 1e9, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("value", [*BAD_PERIODS, 1])
def test_a_bad_rsi_period_is_named(value):
    assert bad_fields(Rsi(period=value)) == ["strategy.rsi.period"]


@pytest.mark.parametrize("value", BAD_LEVELS)
def test_bad_rsi_levels_are_named(value):
    assert bad_fields(Rsi(oversold=value)) == ["strategy.rsi.oversold"]
    assert bad_fields(Rsi(overbought=value)) == ["strategy.rsi.overbought"]


@pytest.mark.parametrize("levels", [(70.0, 30.0), (50.0, 50.0)])
def test_rsi_levels_in_the_wrong_order_are_named(levels):
    assert bad_fields(Rsi(14, *levels)) == ["strategy.rsi.oversold"]


@pytest.mark.parametrize("value", BAD_PERIODS)
def test_bad_ma_cross_periods_are_named(value):
    assert bad_fields(MaCross(fast=value)) == ["strategy.ma_cross.fast"]
    assert bad_fields(MaCross(slow=value)) == ["strategy.ma_cross.slow"]


@pytest.mark.parametrize("periods", [(50, 20), (20, 20)])
def test_ma_cross_periods_in_the_wrong_order_are_named(periods):
    assert bad_fields(MaCross(*periods)) == ["strategy.ma_cross.fast"]


@pytest.mark.parametrize("value", [*BAD_PERIODS, 1])
def test_a_bad_bollinger_period_is_named(value):
    assert bad_fields(Bollinger(period=value)) == ["strategy.bollinger.period"]


@pytest.mark.parametrize("value", [0.0, -1.0, 1e9, math.nan, math.inf, -math.inf])
def test_a_bad_bollinger_width_is_named(value):
    assert bad_fields(Bollinger(width=value)) == ["strategy.bollinger.width"]


@pytest.mark.parametrize("value", ["SIDEWAYS", "", None])
def test_a_bad_choice_is_named(value):
    assert bad_fields(Bollinger(exit_band=value)) == ["strategy.bollinger.exit_band"]
    assert bad_fields(MaCross(kind=value)) == ["strategy.ma_cross.kind"]


def test_all_bad_parameters_are_named_at_once():
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
        Macd(1, 2, 1),
        Macd(9_999, 10_000, 10_000),
        Stochastic(1, 1, 1, 0.0, 100.0),
        Stochastic(10_000, 10_000, 10_000),
        Donchian(1, 10_000),
        RocMomentum(1, -100.0, -100.0),
        RocMomentum(10_000, 1e6, 1e6),
        Supertrend(1, 0.01),
        Supertrend(10_000, 100.0),
        Keltner(1, 10_000, 0.01),
        Keltner(10_000, 1, 100.0),
        RsiTrend(2, 0.0, 100.0, 2),
    ],
    ids=repr,
)
def test_the_ends_of_the_ranges_are_good(strategy):
    assert bad_fields(strategy) == []
