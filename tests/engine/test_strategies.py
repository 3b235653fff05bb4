"""What the strategies say about themselves: forms, help and documentation are made of it."""

import dataclasses
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor

from backcast.backtest.v1.strategy_pb2 import Strategy as StrategyMessage
from backcast_engine import STRATEGIES, strategies
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.parameters import Choices, Range, parameters_of
from backcast_engine.rules.check import rules_violations
from backcast_engine.strategies.bollinger import Bollinger
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.donchian import Donchian
from backcast_engine.strategies.keltner import Keltner
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.macd import Macd
from backcast_engine.strategies.roc_momentum import RocMomentum
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.rsi_trend import RsiTrend
from backcast_engine.strategies.stochastic import Stochastic
from backcast_engine.strategies.supertrend import Supertrend
from backcast_engine.traded_window import TradedWindow

from .inputs import FREE, all_of, make_candles

BUILT_IN = sorted(STRATEGIES.keys() - {"rules"})


def test_there_is_one_for_every_message():
    assert set(STRATEGIES) == {field.name for field in StrategyMessage.DESCRIPTOR.fields}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_has_its_name_and_a_summary(name):
    strategy = STRATEGIES[name]
    assert strategy.name == name
    assert strategy.summary.endswith(".")
    assert strategy.__doc__.strip().endswith(".")


@pytest.mark.parametrize("name", BUILT_IN)
def test_parameters_of_a_strategy_describe_themselves(name):
    strategy = STRATEGIES[name]
    assert strategy().violations() == []
    parameters = parameters_of(strategy)
    assert [parameter.name for parameter in parameters] == [
        field.name for field in dataclasses.fields(strategy)
    ]
    for parameter in parameters:
        assert parameter.spec.help.endswith(".")
        assert getattr(strategy(), parameter.name) == parameter.default
        if isinstance(parameter.spec, Range):
            assert parameter.type in (int, float)
            assert parameter.spec.minimum <= parameter.default <= parameter.spec.maximum
        else:
            assert isinstance(parameter.spec, Choices)
            assert issubclass(parameter.spec.options, StrEnum)
            assert parameter.default in parameter.spec.options


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_message_of_a_strategy_has_its_fields_in_its_order_and_types(name):
    message = StrategyMessage.DESCRIPTOR.fields_by_name[name].message_type
    declared = [field.name for field in dataclasses.fields(STRATEGIES[name])]
    assert [field.name for field in message.fields] == declared
    types = {
        int: FieldDescriptor.TYPE_INT32,
        float: FieldDescriptor.TYPE_DOUBLE,
    }
    for parameter in parameters_of(STRATEGIES[name]):
        field = message.fields_by_name[parameter.name]
        assert field.type == types.get(parameter.type, FieldDescriptor.TYPE_ENUM)
        if isinstance(parameter.spec, Choices):
            names = [value.name for value in field.enum_type.values][1:]
            assert [name.rsplit("_", 1)[1] for name in names] == [*parameter.spec.options]
        else:
            # Left out is not 0.
            assert field.has_presence


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_strategy_is_its_rules(name):
    strategy = STRATEGIES[name]()
    rules = strategy.rules()
    assert rules_violations(rules, "rules") == []
    custom = CustomRules(rules.entry, rules.exit)
    assert custom.columns == strategy.columns
    assert (custom.lookback_candles, custom.warmup_candles) == (
        strategy.lookback_candles,
        strategy.warmup_candles,
    )
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.02, 2_000)))
    candles = make_candles(closes)
    ours, theirs = (
        TradedWindow(History(candles), Interval.HOUR_1, all_of(candles[500:]), FREE).metrics(either)
        for either in (strategy, custom)
    )
    assert ours.tobytes() == theirs.tobytes()


def test_the_default_parameters_are_those_that_people_know():
    """Those that people know them by."""
    assert Rsi() == Rsi(14, 30.0, 70.0)
    assert MaCross() == MaCross(20, 50, "SMA")
    assert Bollinger() == Bollinger(20, 2.0, "UPPER")
    assert Macd() == Macd(12, 26, 9)
    assert Stochastic() == Stochastic(14, 3, 3, 20.0, 80.0)
    assert Donchian() == Donchian(20, 10)
    assert RocMomentum() == RocMomentum(20, 0.0, 0.0)
    assert Supertrend() == Supertrend(10, 3.0)
    assert Keltner() == Keltner(20, 10, 2.0)
    assert RsiTrend() == RsiTrend(14, 30.0, 70.0, 200)


ANOTHER = '''
from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.parameters import integer
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, OPEN
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Candle(Strategy):
    """Buy after a rise."""

    name: ClassVar[str] = "candle"
    summary: ClassVar[str] = "Buys after a rise."

    length: int = integer(3, 1, 5, "Candles.")

    def rules(self):
        return Rules(entry=OPEN < CLOSE)
'''


def test_another_strategy_needs_no_more_than_a_file(tmp_path: Path, monkeypatch):
    (tmp_path / "candle.py").write_text(ANOTHER)
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    try:
        found: dict[str, Any] = strategies._find()
    finally:
        sys.modules.pop("backcast_engine.strategies.candle", None)
    assert found.keys() - STRATEGIES.keys() == {"candle"}
    assert list(found) == sorted(found)
    candle = found["candle"](length=9)
    assert [violation.field for violation in candle.violations()] == ["strategy.candle.length"]
    assert candle.columns == {"open", "close"}
