"""Rounds of everything that is measured: what a busy machine does to a run, it does to its floor as well."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from redis.asyncio import Redis

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from services.imports.candle_writer import write_candles
from services.local.sample_market import CRYPTO_COUNT
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.bench.cache_floor import cached_values, timed_mget
from tests.bench.engine_floor import timed_engine
from tests.bench.runs import request, timed_run
from tests.bench.stream_floor import bare_server, timed_stream
from tests.bench.timing import Timing

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Round:
    """One sample of each: with up to 100 results in an event, or with one."""

    cold: Timing
    computed: Timing
    computed_one_by_one: Timing
    computed_and_saved: Timing
    cached: Timing
    cached_one_by_one: Timing
    appended: Timing
    engine: Timing
    mget: Timing
    stream: Timing


@dataclass(frozen=True, slots=True)
class Bench:
    """What a round is measured with."""

    gateway: "BacktestServiceAsyncStub"
    data: "MarketDataServiceAsyncStub"
    columns: Path
    market: list[tuple[str, Candles]]
    cache: Redis
    cached_keys: list[bytes]
    bare: grpc.aio.Channel

    async def round(self, variant: int) -> Round:
        """Measure everything once; each round needs a variant that no other had."""
        # Renamed: to delete as many files would keep the file system busy during the run.
        self.columns.rename(self.columns.with_name(f"columns-before-{variant}"))
        unsaved, saved = request(variant, cached=False), request(variant, cached=True)
        alone = request(variant, cached=False, per_event=1), request(variant, cached=True, per_event=1)
        return Round(
            cold=await timed_run(self.gateway, unsaved, from_cache=0),
            computed=await timed_run(self.gateway, unsaved, from_cache=0),
            computed_one_by_one=await timed_run(self.gateway, alone[0], from_cache=0),
            computed_and_saved=await timed_run(self.gateway, saved, from_cache=0),
            cached=await timed_run(self.gateway, saved, from_cache=CRYPTO_COUNT),
            cached_one_by_one=await timed_run(self.gateway, alone[1], from_cache=CRYPTO_COUNT),
            appended=await self._appended(variant),
            engine=timed_engine([candles for _, candles in self.market], variant),
            mget=await timed_mget(self.cache, self.cached_keys),
            stream=await timed_stream(self.bare),
        )

    async def _appended(self, variant: int) -> Timing:
        """Append an hour to every crypto; time the run after that."""
        for symbol, candles in self.market:
            last = candles[-1:]
            later = replace(last, open_time_s=last.open_time_s + 3600 * variant)
            await write_candles(self.data, symbol, later, synthetic=True)
        return await timed_run(self.gateway, request(variant, cached=False), from_cache=0)


@asynccontextmanager
async def open_bench(
    stack: LocalStack, columns: Path, market: list[tuple[str, Candles]]
) -> AsyncGenerator[Bench]:
    """Connect to everything; the results of a first run are what the floors of the cached run move."""
    async with open_channel(stack.gateway_address) as channel, Redis.from_url(stack.redis_url) as cache:
        gateway, data = BacktestServiceStub(channel), MarketDataServiceStub(channel)
        await timed_run(gateway, request(0, cached=True), from_cache=0)
        cached = await cached_values(cache)
        with bare_server(list(cached.values())) as address:
            async with open_channel(address) as bare:
                yield Bench(gateway, data, columns, market, cache, list(cached), bare)
