"""When a portfolio is computed, and when its result comes from the cache."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1.backtest_service_pb2 import (
    CACHE_MODE_DEFAULT,
    CACHE_MODE_ONLY,
    CACHE_MODE_REFRESH,
)
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast_engine import Detail, Window
from backcast_engine.candles import Candles
from backcast_engine.portfolio import Portfolio, Rebalancing, WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import random_candles
from tests.changing_crypto import ChangingCrypto
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
    SYMBOLS,
    WINDOW,
    Traded,
    costing,
    in_process,
    portfolio_request,
    series,
    traded,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


async def test_a_portfolio_comes_from_the_cache_the_second_time(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(1.25), cache_mode=CACHE_MODE_DEFAULT)
    first = await traded(portfolios, request)
    assert not first.result.from_cache
    request.symbols[:] = SYMBOLS[::-1]
    second = await traded(portfolios, request)
    assert second.result.from_cache
    assert second.kinds == ["started", "result", "summary"]
    assert second.outcome == first.outcome
    request.cache_mode = CACHE_MODE_ONLY
    assert (await traded(portfolios, request)).outcome == first.outcome
    request.cache_mode = CACHE_MODE_REFRESH
    third = await traded(portfolios, request)
    assert not third.result.from_cache
    assert third.outcome == first.outcome


@pytest.mark.parametrize(
    "other",
    [
        costing(1.5, max_positions=4),
        costing(1.5, rank=series("roc(24)")),
        costing(1.5, strategies=(WeightedStrategy(Rsi(oversold=41.0, overbought=60.0)),)),
        costing(1.5, rebalancing=Rebalancing(24)),
        costing(1.5, benchmark="RUN05USDT"),
        costing(1.5, detail=Detail.TRADES),
        costing(1.5, window=Window(WINDOW.start_s, WINDOW.end_s - 3600)),
    ],
    ids=["places", "rank", "strategy", "rebalancing", "benchmark", "detail", "window"],
)
async def test_another_portfolio_is_not_taken_from_the_cache(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], other: Portfolio
) -> None:
    await traded(portfolios, portfolio_request(costing(1.5), cache_mode=CACHE_MODE_DEFAULT))
    answer = await traded(portfolios, portfolio_request(other, cache_mode=CACHE_MODE_REFRESH))
    again = await traded(portfolios, portfolio_request(other, cache_mode=CACHE_MODE_DEFAULT))
    assert again.outcome == answer.outcome
    assert answer.result == in_process(other, market)


async def test_a_result_that_is_not_cached_is_not_computed_with_the_cache_only(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(1.75), cache_mode=CACHE_MODE_ONLY)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "the portfolio's result is not in the cache"


async def test_an_import_into_one_crypto_makes_a_new_result(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    changing = ChangingCrypto("PFCHANGEUSDT")
    await changing.write(data_service, random_candles(501, HOURS))
    cryptos = {**{symbol: market[symbol] for symbol in SYMBOLS[:3]}, changing.symbol: changing.states[-1]}
    request = portfolio_request(PORTFOLIO, symbols=cryptos, cache_mode=CACHE_MODE_DEFAULT)
    assert (await traded(portfolios, request)).result == in_process(PORTFOLIO, cryptos)
    # In the window, then after it.
    for hour, is_seen in ((HOURS // 2, True), (HOURS - 2, False)):
        await changing.write(data_service, changing.corrected(hour, 1.5))
        cryptos[changing.symbol] = changing.states[-1]
        answer = await traded(portfolios, request)
        assert answer.result.from_cache != is_seen
        answer.result.from_cache = False
        assert answer.result == in_process(PORTFOLIO, cryptos)


async def test_an_import_into_a_crypto_that_is_only_looked_at_makes_a_new_result(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    leader = ChangingCrypto("PFGUIDEUSDT")
    await leader.write(data_service, random_candles(507, HOURS))
    cryptos = {symbol: market[symbol] for symbol in SYMBOLS[:3]}
    entry = parse(f"rsi(7) < 40 and roc(24)@{leader.symbol} > 0", "entry")
    strategy = CustomRules(entry, parse("rsi(7) > 60", "exit"))
    portfolio = replace(PORTFOLIO, strategies=(WeightedStrategy(strategy),), max_positions=2)
    request = portfolio_request(portfolio, symbols=cryptos, cache_mode=CACHE_MODE_DEFAULT)

    def expected() -> portfolio_pb2.PortfolioResult:
        return in_process(portfolio, cryptos, {leader.symbol: leader.states[-1]})

    first = await traded(portfolios, request)
    assert first.result == expected()
    # In the window, then after it.
    for hour, is_seen in ((HOURS // 2, True), (HOURS - 2, False)):
        await leader.write(data_service, leader.corrected(hour, 1.5))
        answer = await traded(portfolios, request)
        assert answer.result.from_cache != is_seen
        answer.result.from_cache = False
        assert answer.result == expected()
        assert answer.result.trades != first.result.trades


async def test_portfolios_that_are_asked_for_at_the_same_time_are_computed_once(
    stack: LocalStack, market: dict[str, Candles]
) -> None:
    request = portfolio_request(costing(2.25), cache_mode=CACHE_MODE_DEFAULT)

    async def one() -> Traded:
        async with open_channel(stack.gateway_address) as channel:
            return await traded(PortfolioServiceStub(channel), request)

    answers = await asyncio.gather(*(one() for _ in range(20)))
    assert sum(not answer.result.from_cache for answer in answers) == 1
    assert len({answer.outcome for answer in answers}) == 1
