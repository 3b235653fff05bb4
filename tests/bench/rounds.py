"""Rounds of everything that is measured: what a busy machine does to a run, it does to its floor as well."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from redis.asyncio import Redis

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.domain.candles import Candles
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


@dataclass(frozen=True, slots=True)
class Round:
    """One sample of each."""

    cold: Timing
    computed: Timing
    computed_and_saved: Timing
    cached: Timing
    engine: Timing
    mget: Timing
    stream: Timing


@dataclass(frozen=True, slots=True)
class Bench:
    """What a round is measured with."""

    gateway: "BacktestServiceAsyncStub"
    columns: Path
    market: list[Candles]
    cache: Redis
    cached_keys: list[bytes]
    bare: grpc.aio.Channel

    async def round(self, variant: int) -> Round:
        """Measure everything once; each round needs a variant that no other had."""
        # Not deleted: ext4 would still be at it while the cold run is measured.
        self.columns.rename(self.columns.with_name(f"columns-before-{variant}"))
        unsaved, saved = request(variant, cached=False), request(variant, cached=True)
        return Round(
            cold=await timed_run(self.gateway, unsaved, from_cache=0),
            computed=await timed_run(self.gateway, unsaved, from_cache=0),
            computed_and_saved=await timed_run(self.gateway, saved, from_cache=0),
            cached=await timed_run(self.gateway, saved, from_cache=CRYPTO_COUNT),
            engine=timed_engine(self.market, variant),
            mget=await timed_mget(self.cache, self.cached_keys),
            stream=await timed_stream(self.bare),
        )


@asynccontextmanager
async def open_bench(stack: LocalStack, columns: Path, market: list[Candles]) -> AsyncGenerator[Bench]:
    """Connect to everything; the results of a first run are what the floors of the cached run move."""
    async with open_channel(stack.gateway_address) as channel, Redis.from_url(stack.redis_url) as cache:
        gateway = BacktestServiceStub(channel)
        await timed_run(gateway, request(0, cached=True), from_cache=0)
        cached = await cached_values(cache)
        with bare_server(list(cached.values())) as address:
            async with open_channel(address) as bare:
                yield Bench(gateway, columns, market, cache, list(cached), bare)
