"""Fingerprints of results that a run has from another one, where candles are imported meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from backcast.compute.v1.compute_service_pb2 import ComputeBacktestsResponse
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import SingleFlight
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.backtest_events import BacktestEvents
from services.gateway.runs.record import RunRecord
from services.local.valkey import EmbeddedValkey
from tests.gateway.computed import computed_result
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.asyncio(loop_scope="function")


class StoredCandles:
    """In the place of compute and data: each call computes from the version that is stored then."""

    def __init__(self, versions: tuple[str, ...]) -> None:
        self._versions = iter(versions)
        self.may_answer = asyncio.Event()

    async def outcomes(
        self, _: object, cryptos: list[CryptoData], others: object
    ) -> AsyncGenerator[ComputeBacktestsResponse]:
        version = next(self._versions)
        await self.may_answer.wait()
        yield ComputeBacktestsResponse(
            results=[computed_result(crypto.symbol, version) for crypto in cryptos]
        )


class Gateway:
    """The parts of a gateway that runs share."""

    def __init__(self, server: CacheServer, versions: tuple[str, ...]) -> None:
        self.candles = StoredCandles(versions)
        self._cache = ResultCache(server)
        self._single_flight = SingleFlight(server, self._cache)

    async def started(self, listed: str) -> "asyncio.Task[str]":
        """Start a run that has listed this version; it asks for its result, or waits for another run's.

        The task returns the fingerprint of the result. The candles in the window are those of version 1.
        """
        plan = RunPlan(
            [CryptoData("A", listed, 0, 0, "1")],
            [],
            Backtest(Rsi(), Interval.HOUR_1, Window(0, 3600), Execution(), Detail.METRICS, 0),
            CacheMode.DEFAULT,
        )
        record = RunRecord("one", "RunBacktests", "a", "rsi")
        cache = RunCache(self._cache, plan.cache_mode)
        run = BacktestEvents(plan, cache, self._single_flight, cast("Any", self.candles), record, 0)
        task = asyncio.create_task(_fingerprint(run))
        await until(lambda: "cache" in record.phases_s)
        return task


async def _fingerprint(run: BacktestEvents) -> str:
    async with asyncio.timeout(LIMIT_S), aclosing(run.events()) as lists:
        events = [
            RunBacktestsResponse.FromString(event.serialized) async for several in lists for event in several
        ]
    (found,) = [event.result.data_fingerprint for event in events if event.HasField("result")]
    return found


@asynccontextmanager
async def new_gateway(valkey: EmbeddedValkey, *versions: str) -> AsyncIterator[Gateway]:
    """A gateway with an empty cache, whose calls to compute are computed from these versions in turn."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushdb()
    server = CacheServer(valkey.url)
    try:
        yield Gateway(server, versions)
    finally:
        await server.close()


async def test_a_shared_result_is_of_the_listed_candles(valkey: EmbeddedValkey) -> None:
    async with new_gateway(valkey, "1") as gateway:
        owner, waiter = await gateway.started("1"), await gateway.started("1")
        gateway.candles.may_answer.set()
        assert (await owner, await waiter) == ("1", "1")


async def test_a_shared_result_of_candles_imported_since_is_not_named_for_the_listed_ones(
    valkey: EmbeddedValkey,
) -> None:
    async with new_gateway(valkey, "2") as gateway:
        owner, waiter = await gateway.started("1"), await gateway.started("1")
        gateway.candles.may_answer.set()
        assert (await owner, await waiter) == ("2", "2")


async def test_a_run_that_has_listed_a_later_version_gets_no_result_of_an_earlier_one(
    valkey: EmbeddedValkey,
) -> None:
    async with new_gateway(valkey, "2", "3") as gateway:
        owner = await gateway.started("1")
        late = await gateway.started("3")
        gateway.candles.may_answer.set()
        assert (await owner, await late) == ("2", "3")
