"""The strategies of the Python client are those of the engine."""

from dataclasses import fields

import pytest

import backcast
from backcast.strategies import Strategy
from backcast_engine import STRATEGIES
from backcast_engine.parameters import parameters_of

CLIENT_STRATEGIES = {strategy.name: strategy for strategy in Strategy.__subclasses__()}


def test_the_client_has_every_strategy_of_the_engine() -> None:
    assert CLIENT_STRATEGIES.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"rules"}))
def test_parameters_have_the_names_and_defaults_of_the_engine(name: str) -> None:
    declared = {parameter.name: parameter.default for parameter in parameters_of(STRATEGIES[name])}
    assert CLIENT_STRATEGIES[name]().parameters == declared
    assert [field.name for field in fields(CLIENT_STRATEGIES[name])] == [*declared]


def test_every_strategy_is_a_name_of_the_package() -> None:
    assert {getattr(backcast, strategy.__name__) for strategy in CLIENT_STRATEGIES.values()} == {
        *CLIENT_STRATEGIES.values()
    }
