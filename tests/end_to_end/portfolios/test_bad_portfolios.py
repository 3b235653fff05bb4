"""A portfolio that cannot be computed is refused, and each bad field is named."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from backcast_engine import BreakRule, Execution, Window
from backcast_engine.candles import Candles
from backcast_engine.portfolio import PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from services.rpc.status import violations_of
from tests.candle_making import START_S
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
    WINDOW,
    portfolio_request,
    series,
    traded,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no place": ({"max_positions": 0}, ["spec.max_positions"]),
    "more places than cryptos": ({"max_positions": 13}, ["spec.max_positions"]),
    "weights": (
        {"strategies": (WeightedStrategy(Rsi(), 0.5), WeightedStrategy(BuyAndHold(), 0.6))},
        ["spec.strategies"],
    ),
    "a weight below 0": (
        {"strategies": (WeightedStrategy(Rsi(), -0.5), WeightedStrategy(BuyAndHold(), 1.5))},
        ["spec.strategies[0].weight"],
    ),
    "a parameter": ({"strategies": (WeightedStrategy(Rsi(1)),)}, ["spec.strategies[0].strategy.rsi.period"]),
    "no strategy": ({"strategies": ()}, ["spec.strategies"]),
    "a rank that is a condition": ({"rank": parse("close > 3", "rank")}, ["spec.rank"]),
    "a rank of a crypto that there is not": (
        {"rank": series("close / close@NOPEUSDT")},
        ["spec.rank.arguments[1].symbol"],
    ),
    "a rule of a crypto that there is not": (
        {"strategies": (WeightedStrategy(CustomRules(parse("close > close@NOPEUSDT", "entry"))),)},
        ["spec.strategies[0].strategy.rules.entry.arguments[1].symbol"],
    ),
    "a rank of candles that are no longer": (
        {"rank": series("roc(5)@RUN00USDT@1h")},
        ["spec.rank.interval"],
    ),
    "a benchmark of others": ({"benchmark": "NOPEUSDT"}, ["spec.benchmark"]),
    "rebalancing without a step": ({"rebalancing": Rebalancing(0)}, ["spec.rebalancing.every"]),
    "rebalancing without a target": (
        {
            "rebalancing": Rebalancing(24),
            "size": PortfolioSize.EXECUTION,
            "execution": Execution(quote_amount=10.0),
        },
        ["spec.rebalancing"],
    ),
    "parts": ({"execution": Execution(break_rule=BreakRule.SPLIT)}, ["spec.execution.break_rule"]),
    "two sizes": ({"execution": Execution(equity_fraction=0.5)}, ["spec.size"]),
    "all at once": (
        {
            "max_positions": 13,
            "benchmark": "NOPEUSDT",
            "rank": parse("close > 3", "rank"),
            "execution": Execution(fee_rate=-1.0),
            "rebalancing": Rebalancing(0, 2.0),
        },
        [
            *("spec.benchmark", "spec.execution.fee_rate", "spec.max_positions", "spec.rank"),
            *("spec.rebalancing.every", "spec.rebalancing.threshold"),
        ],
    ),
}


@pytest.mark.parametrize("named", [True, False], ids=["named cryptos", "all cryptos"])
@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
async def test_each_bad_field_of_a_portfolio_is_named_before_anything_is_computed(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    changes: dict[str, Any],
    fields: list[str],
    named: bool,
) -> None:
    request = portfolio_request(replace(PORTFOLIO, **changes))
    if not named:
        request.symbols[:] = []
        if changes.get("max_positions") == 13:
            request.spec.max_positions = 10_001
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = sorted(violation.field for violation in violations_of(caught.value))
    if not named and len(fields) > 1:
        # What depends on the cryptos is named when all else is right.
        fields = [field for field in fields if field not in ("spec.benchmark", "spec.max_positions")]
    assert found == fields


async def test_a_portfolio_with_too_many_candles_is_refused(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    years = Window(START_S - 200 * 365 * 86_400, WINDOW.end_s)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, portfolio_request(replace(PORTFOLIO, window=years)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [violation.field for violation in violations_of(caught.value)] == ["spec.start_time"]
