"""What the strategies say about themselves: forms, help and documentation are made of it."""

from enum import StrEnum

import pytest

from services.compute.engine import STRATEGIES
from services.compute.engine.parameters import Choices, Range, parameters_of
from services.compute.engine.strategies.bollinger import Bollinger
from services.compute.engine.strategies.ma_cross import MaCross
from services.compute.engine.strategies.rsi import Rsi


def test_the_four_strategies():
    assert sorted(STRATEGIES) == ["bollinger", "buy_and_hold", "ma_cross", "rsi"]


@pytest.mark.parametrize("name", STRATEGIES)
def test_metadata(name):
    strategy = STRATEGIES[name]
    assert strategy.name == name
    assert strategy.summary.endswith(".")
    assert strategy().violations() == []
    for parameter in parameters_of(strategy):
        assert parameter.spec.help.endswith(".")
        assert getattr(strategy(), parameter.name) == parameter.default
        if isinstance(parameter.spec, Range):
            assert parameter.type in (int, float)
            assert parameter.spec.minimum <= parameter.default <= parameter.spec.maximum
        else:
            assert isinstance(parameter.spec, Choices)
            assert issubclass(parameter.spec.options, StrEnum)
            assert parameter.default in parameter.spec.options


def test_defaults():
    assert (Rsi().period, Rsi().oversold, Rsi().overbought) == (14, 30.0, 70.0)
    assert (MaCross().fast, MaCross().slow, MaCross().kind) == (20, 50, "SMA")
    assert (Bollinger().period, Bollinger().width, Bollinger().exit_band) == (20, 2.0, "UPPER")
