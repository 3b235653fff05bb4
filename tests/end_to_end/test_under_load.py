"""Under full load, health is answered and no callback keeps an event loop from others."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.struct_pb2 import Value
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.engine.strategies.rsi import Rsi
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import import_candles, random_candles
from tests.end_to_end import watched_loop
from tests.requests import with_spec

CRYPTOS = 40
HOURS = 24 * 365


@pytest.fixture(scope="module")
async def watched(short_folder: Path) -> AsyncIterator[LocalStack]:
    """A stack whose services tell of callbacks that take long; forty cryptos of a year."""
    settings = StackSettings(short_folder / "watched", 0, 0, 0, database_url=None, redis_url=None, quiet=True)
    script = watched_loop.__file__
    async with (
        LocalStack(settings, lambda service: [sys.executable, script, "serve", service]) as stack,
        open_channel(stack.data_address) as channel,
    ):
        for number in range(CRYPTOS):
            candles = random_candles(number, HOURS)
            await import_candles(MarketDataServiceStub(channel), f"LOAD{number}USDT", candles)
        yield stack


def run_request(**fields: object) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(**with_spec(strategy=strategy_to(Rsi()), **fields))  # type: ignore[arg-type]


def sweep_request(**fields: object) -> pb.SweepBacktestsRequest:
    periods, levels = (
        ParameterRange(name=name, values=[Value(number_value=number) for number in numbers])
        for name, numbers in (("period", range(2, 102)), ("oversold", range(20, 35)))
    )
    return pb.SweepBacktestsRequest(
        **with_spec(strategy=strategy_to(Rsi()), ranges=[periods, levels], best_trial_count=1_000, **fields)
    )  # type: ignore[arg-type]


async def test_health_answers_and_nothing_keeps_the_loop(watched: LocalStack, short_folder: Path) -> None:
    logs = {
        name: short_folder / "watched" / "logs" / f"{name}.log" for name in ("gateway", "compute", "data")
    }
    before = {name: len(log.read_text()) for name, log in logs.items()}
    async with open_channel(watched.gateway_address) as channel, open_channel(watched.gateway_address) as ops:
        stub, runs = BacktestServiceStub(channel), RunServiceStub(channel)
        health = health_pb2_grpc.HealthStub(ops)

        async def run(request: pb.RunBacktestsRequest) -> None:
            events = [event async for event in stub.RunBacktests(request)]
            assert events[-1].progress.completed == CRYPTOS

        async def sweep(request: pb.SweepBacktestsRequest) -> None:
            events = [event async for event in stub.SweepBacktests(request)]
            assert events[-1].summary.progress.completed == events[0].started.backtest_count

        async def list_everything() -> None:
            await stub.ListStrategies(pb.ListStrategiesRequest())
            await stub.ListCryptos(pb.ListCryptosRequest())
            await runs.ListRuns(run_service_pb2.ListRunsRequest())

        async def again(times: int, call: Callable[[], Awaitable[None]]) -> None:
            for _ in range(times):
                await call()

        async def check_until(done: asyncio.Event) -> int:
            checks = 0
            while not done.is_set():
                answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
                checks += 1
            return checks

        bypass, equity = pb.CACHE_MODE_BYPASS, result_pb2.DETAIL_EQUITY
        done = asyncio.Event()
        checking = asyncio.create_task(check_until(done))
        async with asyncio.TaskGroup() as load:
            for _ in range(16):
                load.create_task(again(10, lambda: run(run_request())))
            for _ in range(4):
                load.create_task(again(3, lambda: run(run_request(cache_mode=bypass, detail=equity))))
                load.create_task(again(3, lambda: run(run_request(detail=equity))))
            # Twice: the second one is from the cache.
            load.create_task(again(2, lambda: sweep(sweep_request(split=0.5))))
            load.create_task(sweep(sweep_request(fold_count=2, cache_mode=bypass)))
            load.create_task(again(20, list_everything))
        done.set()
        assert await checking > 100
    said = [
        f"{name} {line}"
        for name, log in logs.items()
        for line in log.read_text()[before[name] :].splitlines()
        if watched_loop.SAYS in line
    ]
    assert said == []
