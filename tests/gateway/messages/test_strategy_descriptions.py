"""What ListStrategies says is derived from the strategies themselves."""

from backcast_engine.rules.parse import parse
from backcast_engine.strategies import STRATEGIES
from services.gateway.messages.strategies import describe_strategies


def test_rules_are_those_of_the_default_parameters():
    described = {description.name: description for description in describe_strategies()}
    assert described.keys() == STRATEGIES.keys()
    assert (described["rsi"].entry, described["rsi"].exit) == ("rsi(14) < 30", "rsi(14) > 70")
    assert (described["buy_and_hold"].entry, described["buy_and_hold"].exit) == ("close > 0", "")
    own = described.pop("rules")
    assert (own.entry, own.exit) == ("", "")
    for name, description in described.items():
        assert parse(description.entry, "entry") == STRATEGIES[name]().rules().entry
