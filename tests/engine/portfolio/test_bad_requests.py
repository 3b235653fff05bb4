"""What is wrong with a portfolio is named, all of it at once, before anything is computed."""

from dataclasses import replace

import pytest

from backcast_engine.errors import InvalidInput, NotFound
from backcast_engine.portfolio import PortfolioSize, Rebalancing, WeightedStrategy, run_portfolio
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from tests.engine.inputs import FREE, make_candles
from tests.engine.portfolio.requests import ordered, portfolio_of

CANDLES = make_candles([100] * 3)
GOOD = portfolio_of(CANDLES)


# Each looks at as many as rules can.
LOOKING_AROUND = tuple(
    WeightedStrategy(
        CustomRules(parse(" and ".join(f"close > close@C{number}{each}USDT" for each in range(8)), "entry")),
        0.2,
    )
    for number in range(5)
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_positions": 0}, r"max_positions: must be from 1 to 2, the number of cryptos, not 0"),
        ({"max_positions": 3}, r"max_positions: must be from 1 to 2, the number of cryptos, not 3"),
        ({"strategies": ()}, r"strategies: needs at least one strategy"),
        (
            {"strategies": (WeightedStrategy(Rsi(), 0.5), WeightedStrategy(Rsi(), 0.6))},
            r"strategies: their weights must add up to 1, not 1\.1",
        ),
        (
            {"strategies": (WeightedStrategy(Rsi(), -1.0), WeightedStrategy(Rsi(), 2.0))},
            r"strategies\[0\]\.weight: must be above 0, not -1",
        ),
        ({"strategies": (WeightedStrategy(Rsi(1)),)}, r"strategies\[0\]\.strategy\.rsi\.period: "),
        ({"execution": replace(FREE, fee_rate=-1.0)}, r"execution\.fee_rate: "),
        ({"rank": call("less", CLOSE, 3)}, r"rank: must be a number, not a condition"),
        (
            {"strategies": LOOKING_AROUND},
            r"strategies: with the rank, they look at 40 other cryptos, at most 32",
        ),
        ({"benchmark": "XUSDT"}, r"benchmark: XUSDT is not one of the cryptos"),
        ({"rebalancing": Rebalancing(0)}, r"rebalancing\.every: must be at least 1, not 0"),
        ({"rebalancing": Rebalancing(1, 2.0)}, r"rebalancing\.threshold: must be from 0 to 1, not 2"),
        (
            {
                "rebalancing": Rebalancing(1),
                "size": PortfolioSize.EXECUTION,
                "execution": replace(FREE, quote_amount=10.0),
            },
            r"rebalancing: needs a target, and execution\.quote_amount is none",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value[:30],
)
def test_each_bad_field_is_named(changes, expected):
    cryptos = [ordered("AUSDT", CANDLES), ordered("BUSDT", CANDLES)]
    with pytest.raises(InvalidInput, match=expected):
        run_portfolio(cryptos, replace(GOOD, **changes))


def test_crypto_that_is_there_twice_is_named():
    with pytest.raises(InvalidInput, match="symbols: AUSDT is there twice"):
        run_portfolio([ordered("AUSDT", CANDLES)] * 2, GOOD)


def test_portfolio_without_cryptos_is_not_found():
    with pytest.raises(NotFound, match="no crypto has candles in the window"):
        run_portfolio([], GOOD)
