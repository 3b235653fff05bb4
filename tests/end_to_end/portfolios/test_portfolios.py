"""Portfolios through all three services, held against the engine in this process."""

from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1 import portfolio_pb2
from backcast.gateway.v1 import run_events_pb2
from backcast_engine import Detail, Direction, Execution, Window
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from tests.candle_making import START_S, import_candles, longer_candles, random_candles
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.portfolios.accounts import (
    EVERYTHING,
    PORTFOLIO,
    SYMBOLS,
    WEEK_S,
    WINDOW,
    in_process,
    portfolio_request,
    series,
    traded,
    without_window,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

YEARS_AGO_S = START_S - 3 * 365 * 86_400

LOOKING_AT_OTHERS = replace(
    PORTFOLIO,
    strategies=(
        WeightedStrategy(CustomRules(parse("roc(24)@RUN03USDT > 0 and close > sma(5)@1d", "entry")), 0.5),
        WeightedStrategy(
            CustomRules(parse("rsi(7) < 40", "entry"), parse("rsi(7)@RUN01USDT@4h > 60", "exit")), 0.5
        ),
    ),
    rank=series("roc(168) - roc(168)@RUN05USDT"),
)


@pytest.mark.parametrize(
    "portfolio",
    [
        PORTFOLIO,
        EVERYTHING,
        replace(EVERYTHING, rebalancing=Rebalancing(24, 0.1)),
        replace(PORTFOLIO, rank=series("-stddev(48)"), rebalancing=Rebalancing(50), benchmark=SYMBOLS[3]),
        replace(PORTFOLIO, execution=Execution(direction=Direction.SHORT_ONLY), rank=series("rsi(7)")),
        replace(PORTFOLIO, curve_points=50, max_positions=12),
        replace(
            PORTFOLIO,
            strategies=(WeightedStrategy(CustomRules(parse("close > sma(5)@1d", "entry"))),),
            rank=series("roc(2)@1d"),
        ),
        LOOKING_AT_OTHERS,
    ],
    ids=[
        *("plain", "everything", "rebalanced volatility", "rebalanced shares", "short", "all places", "days"),
        "other cryptos",
    ],
)
async def test_a_portfolio_is_that_of_the_engine_bit_by_bit(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], portfolio: Portfolio
) -> None:
    answer = await traded(portfolios, portfolio_request(portfolio))
    assert answer.result == in_process(portfolio, market)
    assert answer.result.trades
    assert answer.summary.cache_state == run_events_pb2.CACHE_STATE_BYPASSED
    assert [answer.progress[-1].completed, answer.progress[-1].total] == [12, 12]


async def test_a_portfolio_of_longer_candles_is_that_of_the_engine(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = {symbol: candles for symbol, candles in market.items() if symbol != "RUN02USDT"}
    portfolio = replace(PORTFOLIO, interval=Interval.HOUR_4, rank=series("roc(6)"))
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=whole))
    longer = {symbol: longer_candles(candles, Interval.HOUR_4) for symbol, candles in whole.items()}
    assert answer.result == in_process(portfolio, longer)


async def test_the_order_of_the_cryptos_changes_nothing(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    answers = [
        await traded(portfolios, portfolio_request(EVERYTHING, symbols=symbols))
        for symbols in (SYMBOLS, SYMBOLS[::-1], SYMBOLS[5:] + SYMBOLS[:5])
    ]
    assert answers[0].outcome == answers[1].outcome == answers[2].outcome
    assert list(answers[1].started.request.symbols) == SYMBOLS


async def test_each_detail_has_its_parts(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    fields = {
        detail: {field.name for field, _ in (await _result(portfolios, detail)).ListFields()}
        for detail in Detail
    }
    metrics = {"metrics", "cryptos", "hold", "engine_version"}
    assert fields[Detail.METRICS] == metrics
    assert fields[Detail.TRADES] == metrics | {"trades", "correlation"}
    assert fields[Detail.EQUITY] == fields[Detail.TRADES] | {"curve", "monthly_returns"}


async def _result(portfolios: "PortfolioServiceAsyncStub", detail: Detail) -> portfolio_pb2.PortfolioResult:
    return (await traded(portfolios, portfolio_request(replace(PORTFOLIO, detail=detail)))).result


async def test_the_request_is_returned_with_its_defaults(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = without_window(portfolio_request(symbols=SYMBOLS[:4]))
    for field in ("execution", "max_positions", "interval", "size"):
        request.spec.ClearField(field)  # type: ignore[arg-type]  # names of its fields
    request.spec.strategies[0].ClearField("weight")
    returned = (await traded(portfolios, request)).started.request
    assert returned.spec.max_positions == 4
    assert returned.spec.size == portfolio_pb2.PORTFOLIO_SIZE_EQUAL
    assert returned.spec.strategies[0].weight == 1
    assert returned.spec.strategies[0].strategy.rsi.period == 14
    assert returned.spec.execution.fee_rate == 0.001
    assert returned.spec.end_time.seconds == START_S + 3600 * HOURS
    assert not returned.spec.benchmark
    again = await traded(portfolios, returned)
    assert again.started.request.spec == returned.spec


async def test_a_size_of_the_execution_is_the_size_of_positions(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    portfolio = replace(PORTFOLIO, execution=Execution(quote_amount=500.0))
    request = portfolio_request(portfolio)
    request.spec.ClearField("size")
    answer = await traded(portfolios, request)
    assert answer.started.request.spec.size == portfolio_pb2.PORTFOLIO_SIZE_EXECUTION
    assert answer.result == in_process(replace(portfolio, size=PortfolioSize.EXECUTION), market)


async def test_bitcoin_is_the_benchmark_where_it_is_one_of_the_cryptos(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    bitcoin = random_candles(77, HOURS)
    await import_candles(data_service, "BTCUSDT", bitcoin)
    cryptos = {"BTCUSDT": bitcoin, "RUN01USDT": market["RUN01USDT"]}
    portfolio = replace(PORTFOLIO, max_positions=2)
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=cryptos))
    assert answer.started.request.spec.benchmark == answer.result.benchmark.symbol == "BTCUSDT"
    assert answer.result == in_process(portfolio, cryptos)


async def test_a_crypto_without_candles_in_the_window_is_left_out_and_reported(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    data_service: "MarketDataServiceAsyncStub",
) -> None:
    gap = random_candles(502, HOURS)
    outside = (gap.open_time_s < WINDOW.start_s) | (gap.open_time_s >= WINDOW.end_s)
    await import_candles(data_service, "PFGAPUSDT", gap.at(outside))
    cryptos = {symbol: market[symbol] for symbol in SYMBOLS[:3]}
    answer = await traded(portfolios, portfolio_request(symbols=[*cryptos, "PFGAPUSDT"]))
    assert list(answer.result.without_candles) == ["PFGAPUSDT"]
    del answer.result.without_candles[:]
    assert answer.result == in_process(PORTFOLIO, cryptos)
    request = portfolio_request(replace(PORTFOLIO, max_positions=4), symbols=[*cryptos, "PFGAPUSDT"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traded(portfolios, request)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == (
        "there are 4 places, and only 3 of 4 cryptos have candles in the window"
    )


async def test_a_long_result_comes_in_parts(
    portfolios: "PortfolioServiceAsyncStub", data_service: "MarketDataServiceAsyncStub"
) -> None:
    hours = 3 * 365 * 24
    cryptos = {f"PFLONG{number}USDT": random_candles(503 + number, hours, YEARS_AGO_S) for number in range(2)}
    for symbol, candles in cryptos.items():
        await import_candles(data_service, symbol, candles)
    window = Window(YEARS_AGO_S + WEEK_S, YEARS_AGO_S + 3600 * hours)
    portfolio = replace(PORTFOLIO, window=window, max_positions=2)
    answer = await traded(portfolios, portfolio_request(portfolio, symbols=cryptos))
    assert answer.result == in_process(portfolio, cryptos)
    assert len(answer.parts) > 1
    assert max(event.ByteSize() for event in answer.parts) < 2**20
