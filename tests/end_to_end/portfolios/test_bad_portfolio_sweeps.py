"""A sweep over portfolios that cannot be computed is refused, and each bad field is named."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from backcast.marketdata.v1.interval_pb2 import INTERVAL_1D, INTERVAL_1H
from backcast_engine.candles import Candles
from backcast_engine.portfolio import WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.strategies.custom_rules import CustomRules
from services.rpc.status import violations_of
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
)
from tests.end_to_end.portfolios.sweeps import parameter, setting, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing is swept": ({}, ["ranges"]),
    "a parameter that there is not": ({"ranges": [parameter("lookback", 1)]}, ["ranges[0].name"]),
    "a value out of range": ({"ranges": [parameter("period", 5, 1)]}, ["ranges[0].values[1]"]),
    "a name twice": ({"ranges": [parameter("period", 5), parameter("period", 6)]}, ["ranges[1].name"]),
    "a setting that there is not": (
        {"portfolio_ranges": [setting("benchmark", {})]},
        ["portfolio_ranges[0].name"],
    ),
    "places": (
        {"portfolio_ranges": [setting("max_positions", {"max_positions": 0}, {"max_positions": 13})]},
        [f"portfolio_ranges[0].values[{place}].max_positions" for place in (0, 1)],
    ),
    "a value of another setting": (
        {"portfolio_ranges": [setting("max_positions", {"max_positions": 2, "benchmark": "X"})]},
        ["portfolio_ranges[0].values[0]"],
    ),
    "the same value twice": (
        {"portfolio_ranges": [setting("max_positions", {"max_positions": 2}, {"max_positions": 2})]},
        ["portfolio_ranges[0].values[1]"],
    ),
    "rebalancing without a step": (
        {"portfolio_ranges": [setting("rebalancing", {"rebalancing": {}})]},
        ["portfolio_ranges[0].values[0].rebalancing.every"],
    ),
    "an interval twice": (
        {"intervals": [INTERVAL_1D, INTERVAL_1H, INTERVAL_1D], "ranges": [parameter("period", 5)]},
        ["intervals[2]"],
    ),
    "intervals that there are not": (
        {"intervals": [0, 99], "ranges": [parameter("period", 5)]},
        ["intervals[0]", "intervals[1]"],
    ),
    "one interval alone": ({"intervals": [INTERVAL_1D]}, ["ranges"]),
    "the execution": (
        {"execution_ranges": [setting("stop_loss", {"stop_loss": {"fraction": 2}})]},
        ["execution_ranges[0].values[0].stop_loss.fraction"],
    ),
    "more": (
        {
            "ranges": [parameter("period", 5)],
            **{"split": 1.5, "best_count": -1, "min_trades": -1, "metric": 99, "run_id": "?"},
        },
        ["best_count", "metric", "min_trades", "run_id", "split"],
    ),
}


@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
async def test_each_bad_field_of_a_sweep_is_named_before_anything_is_computed(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    changes: dict[str, Any],
    fields: list[str],
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(portfolios, sweep_request(**changes))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert sorted(violation.field for violation in violations_of(caught.value)) == fields


@pytest.mark.parametrize(
    ("entry", "rank", "names", "fields"),
    [
        ("rsi({n}) < 30", "roc({m})", ["n"], ["spec.rank"]),
        ("rsi({n}) < 30", "roc(5)", [], ["ranges", "spec.strategies[0].strategy.rules.entry"]),
        ("rsi(5) < 30", "roc({m})", ["n"], ["ranges[0].name", "spec.rank"]),
        (
            "rsi({n}) < close@NOPEUSDT",
            "roc(5)",
            ["n"],
            ["spec.strategies[0].strategy.rules.entry.arguments[1].symbol"],
        ),
        ("rsi({n}) < 30", "close > {n}", ["n"], ["spec.rank"]),
        (
            "rsi({n}) < sma(5)@1h",
            "roc(5)@1h",
            ["n"],
            ["spec.rank.interval", "spec.strategies[0].strategy.rules.entry.arguments[1].interval"],
        ),
    ],
)
async def test_what_is_wrong_with_placeholders_is_named(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    entry: str,
    rank: str,
    names: list[str],
    fields: list[str],
) -> None:
    portfolio = replace(
        PORTFOLIO,
        strategies=(WeightedStrategy(CustomRules(parse(entry, "entry"))),),
        rank=parse(rank, "rank", ValueKind.CONDITION if ">" in rank else ValueKind.SERIES),
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(portfolios, sweep_request(portfolio, ranges=[parameter(name, 5, 6) for name in names]))
    assert sorted(violation.field for violation in violations_of(caught.value)) == fields
