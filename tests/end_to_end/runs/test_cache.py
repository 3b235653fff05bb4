"""Asked again, results come from the cache; changed candles are never answered with old results."""

from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from redis.asyncio import Redis

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = [f"CACHE{number}USDT" for number in range(6)]


@pytest.fixture
async def cached_market(
    data_service: "MarketDataServiceAsyncStub", gateway: "BacktestServiceAsyncStub"
) -> dict[str, Candles]:
    """Six cryptos whose results for `request()` are in the cache."""
    market = {symbol: random_candles(number + 50, 1500) for number, symbol in enumerate(SYMBOLS)}
    for symbol, candles in market.items():
        await import_candles(data_service, symbol, candles)
    _ = [event async for event in events_of(gateway, request())]
    return market


def request(**fields: object) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(
        **with_spec(
            **{"symbols": SYMBOLS, "strategy": strategy_to(Rsi()), **fields}  # type: ignore[arg-type]
        )
    )


async def run(
    gateway: "BacktestServiceAsyncStub", wanted: pb.RunBacktestsRequest
) -> list[pb.RunBacktestsResponse]:
    return [event async for event in events_of(gateway, wanted)]


def results_in(events: list[pb.RunBacktestsResponse]) -> dict[str, result_pb2.BacktestResult]:
    return {event.result.symbol: event.result for event in events if event.HasField("result")}


def missed(events: list[pb.RunBacktestsResponse]) -> set[str]:
    return {symbol for symbol, result in results_in(events).items() if not result.from_cache}


async def test_the_second_run_is_all_from_the_cache(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    events = await run(gateway, request())
    assert missed(events) == set()
    assert events[-1].progress == run_events_pb2.Progress(completed=6, from_cache=6, total=6)
    assert events[-1].summary.cache_state == run_events_pb2.CACHE_STATE_USED


async def test_cached_results_are_the_computed_ones(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    wanted = request(detail=result_pb2.DETAIL_EQUITY)
    runs = []
    for cache_mode in (pb.CACHE_MODE_DEFAULT, pb.CACHE_MODE_DEFAULT, pb.CACHE_MODE_BYPASS):
        wanted.cache_mode = cache_mode
        results = results_in(await run(gateway, wanted))
        for result in results.values():
            result.from_cache = False
        runs.append(results)
    assert runs[0] == runs[1] == runs[2]


async def test_bypass_reads_nothing_and_writes_nothing(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    assert missed(await run(gateway, request(cache_mode=pb.CACHE_MODE_BYPASS))) == set(SYMBOLS)
    other = strategy_to(Rsi(period=9))
    await run(gateway, request(strategy=other, cache_mode=pb.CACHE_MODE_BYPASS))
    assert missed(await run(gateway, request(strategy=other))) == set(SYMBOLS)


async def test_refresh_computes_and_writes(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles], stack: LocalStack
) -> None:
    events = await run(gateway, request(cache_mode=pb.CACHE_MODE_REFRESH))
    assert missed(events) == set(SYMBOLS)
    assert events[-1].summary.cache_state == run_events_pb2.CACHE_STATE_USED
    other = strategy_to(Rsi(period=8))
    await run(gateway, request(strategy=other, cache_mode=pb.CACHE_MODE_REFRESH))
    assert missed(await run(gateway, request(strategy=other))) == set()
    # What is there is written over.
    async with Redis.from_url(stack.redis_url) as redis:
        keys = [key async for key in redis.scan_iter("backcast:result:*") if not key.endswith(b":lease")]
        for key in keys:
            await redis.set(key, b"damaged", keepttl=True)
        await run(gateway, request(cache_mode=pb.CACHE_MODE_REFRESH))
        assert sum([await redis.get(key) != b"damaged" for key in keys]) == len(SYMBOLS)
    # And what is damaged is as good as not there.
    assert missed(await run(gateway, request(strategy=other))) == set(SYMBOLS)
    assert missed(await run(gateway, request(strategy=other))) == set()


async def test_cache_mode_only_computes_nothing(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    only = pb.CACHE_MODE_ONLY
    assert missed(await run(gateway, request(cache_mode=only))) == set()
    other = strategy_to(Rsi(period=10))
    await run(gateway, request(strategy=other, symbols=SYMBOLS[:2]))
    events = await run(gateway, request(strategy=other, cache_mode=only))
    assert set(results_in(events)) == set(SYMBOLS[:2])
    failures = [event.failure for event in events if event.HasField("failure")]
    assert {failure.symbol for failure in failures} == set(SYMBOLS[2:])
    assert {(failure.status.code, failure.status.message) for failure in failures} == {
        (grpc.StatusCode.NOT_FOUND.value[0], "its result is not in the cache")
    }
    assert events[-1].progress == run_events_pb2.Progress(completed=2, failed=4, from_cache=2, total=6)
    wanted = pb.RunBacktestRequest(symbol=SYMBOLS[3], spec=BacktestSpec(strategy=other), cache_mode=only)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.RunBacktest(wanted)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_get_reports_what_the_cache_did(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    wanted = pb.RunBacktestRequest(symbol=SYMBOLS[0], spec=BacktestSpec(strategy=strategy_to(Rsi())))
    answer = await gateway.RunBacktest(wanted)
    assert (answer.cache_state, answer.result.from_cache) == (run_events_pb2.CACHE_STATE_USED, True)
    wanted.cache_mode = pb.CACHE_MODE_BYPASS
    computed = await gateway.RunBacktest(wanted)
    assert (computed.cache_state, computed.result.from_cache) == (
        run_events_pb2.CACHE_STATE_BYPASSED,
        False,
    )
    computed.result.from_cache = True
    assert answer.result == computed.result


async def test_results_stay_about_a_day_and_are_packed_where_that_pays(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles], stack: LocalStack
) -> None:
    async with Redis.from_url(stack.redis_url) as redis:
        # Other tests may have written theirs long ago.
        await redis.flushdb()
        results = results_in(await run(gateway, request(detail=result_pb2.DETAIL_EQUITY)))
        await run(gateway, request())
        keys = [key async for key in redis.scan_iter("backcast:result:*") if not key.endswith(b":lease")]
        lives_s = {await redis.ttl(key) for key in keys}
        sizes = sorted([await redis.strlen(key) for key in keys])
    assert 0.89 * 86_400 < min(lives_s) < max(lives_s) <= 1.1 * 86_400
    assert len(lives_s) > 3
    largest = max(result.ByteSize() for result in results.values())
    assert largest > sizes[-1] > 1_024 > sizes[0]


async def test_a_corrected_candle_makes_exactly_that_crypto_miss(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    cached_market: dict[str, Candles],
) -> None:
    candle = cached_market["CACHE3USDT"][700:701]
    corrected = replace(candle, high=candle.high * 1.5, close=candle.high * 1.5)
    before = results_in(await run(gateway, request()))
    counts = await import_candles(data_service, "CACHE3USDT", corrected)
    assert (counts.inserted, counts.corrected, counts.unchanged) == (0, 1, 0)
    events = await run(gateway, request())
    assert missed(events) == {"CACHE3USDT"}
    after = results_in(events)
    assert after["CACHE3USDT"].metrics != before["CACHE3USDT"].metrics
    assert missed(await run(gateway, request())) == set()


async def test_importing_the_same_again_changes_nothing(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    cached_market: dict[str, Candles],
) -> None:
    counts = await import_candles(data_service, "CACHE5USDT", cached_market["CACHE5USDT"])
    assert (counts.inserted, counts.corrected, counts.unchanged) == (0, 0, 1500)
    assert missed(await run(gateway, request())) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": strategy_to(Rsi(oversold=30.000000001))},
        {"start_time": Timestamp(seconds=START_S + 3600)},
        {"end_time": Timestamp(seconds=START_S + 3600 * 1400)},
        {"interval": 2},
        {"execution": {"fee_rate": 0.0}},
        {"execution": {"slippage_bps": 1.0}},
        {"execution": {"initial_capital": 9_999.0}},
        {"detail": result_pb2.DETAIL_TRADES},
    ],
    ids=str,
)
async def test_whatever_changes_the_result_misses(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles], change: dict[str, object]
) -> None:
    assert missed(await run(gateway, request(**change))) == set(SYMBOLS)


async def test_a_part_of_a_run_serves_another_run(
    gateway: "BacktestServiceAsyncStub", cached_market: dict[str, Candles]
) -> None:
    events = await run(gateway, request(symbols=SYMBOLS[2:4]))
    assert missed(events) == set()
    assert len(events) == 4


async def test_cached_results_stream_first(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    cached_market: dict[str, Candles],
) -> None:
    await import_candles(data_service, "CACHE0USDT", random_candles(1234, 1500))
    events = await run(gateway, request())
    cached = [event.result.from_cache for event in events if event.HasField("result")]
    assert cached == [True] * 5 + [False]
    assert np.all(np.diff([event.progress.completed for event in events]) >= 0)
