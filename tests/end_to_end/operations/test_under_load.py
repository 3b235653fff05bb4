"""Under full load, everything comes to its end and health is answered meanwhile.

How fast it is answered is measured by `python -m tests.bench.responsiveness`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from google.protobuf.struct_pb2 import Value
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack, StackSettings, serve_command
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import import_candles, random_candles
from tests.requests import with_spec
from tests.waiting import LIMIT_S

CRYPTOS = 40
HOURS = 24 * 365


@asynccontextmanager
async def stack_of_many(
    folder: Path, service_command: Callable[[str], Sequence[str]] = serve_command
) -> AsyncIterator[LocalStack]:
    """Start a stack with forty cryptos of a year; `service_command` starts its services."""
    settings = StackSettings(folder, 0, 0, 0, database_url=None, redis_url=None, quiet=True)
    async with LocalStack(settings, service_command) as stack, open_channel(stack.data_address) as channel:
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


async def full_load(stack: LocalStack) -> None:
    """Have runs and sweeps come from many clients at once, computed and from the cache, to their ends."""
    async with open_channel(stack.gateway_address) as channel:
        stub, runs = BacktestServiceStub(channel), RunServiceStub(channel)

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

        bypass, equity = pb.CACHE_MODE_BYPASS, result_pb2.DETAIL_EQUITY
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


async def test_a_fully_loaded_gateway_answers_that_it_serves(short_folder: Path) -> None:
    async with (
        stack_of_many(short_folder / "loaded") as stack,
        open_channel(stack.gateway_address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        loading = asyncio.create_task(full_load(stack))
        answers = 0
        while not loading.done():
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            answers += 1
        await loading
    assert answers
