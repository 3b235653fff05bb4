"""Single flight with a real cache and a clock of its own: who computes, who waits, and who takes over."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from redis.asyncio import Redis

from services.domain.errors import Unavailable
from services.gateway.cache import connection
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.flights import KeyOutcome
from services.gateway.cache.leases import LEASE_S
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.single_flight import Computed, SingleFlight
from services.local.valkey import EmbeddedValkey
from tests.gateway.computed import computed_result
from tests.gateway.shifted_clock import ShiftedClock
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.asyncio(loop_scope="function")

KEYS = ["a", "b"]


@pytest.fixture(autouse=True)
def patient_with_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the clock is ahead, an answer on its way is not late."""
    monkeypatch.setattr(connection, "_TIMEOUT_S", 3_600.0)


class Computation:
    """Computes a key for each `go.release()`, and knows for which keys it was called."""

    def __init__(self, keys_at_once: int = 0) -> None:
        self.go = asyncio.Semaphore(keys_at_once)
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def __call__(self, keys: list[str]) -> AsyncGenerator[list[Computed]]:
        self.asked += keys
        for key in keys:
            await self.go.acquire()
            if self.error:
                raise self.error
            yield [Computed(key, key, computed_result(key))]


def gateway_of(server: CacheServer) -> SingleFlight:
    cache = ResultCache(server)
    return SingleFlight(server, cache)


def outcomes(flight: SingleFlight, computation: Computation) -> AsyncGenerator[list[KeyOutcome]]:
    return flight.outcomes(dict.fromkeys(KEYS, "1"), computation)


@asynccontextmanager
async def gateways(valkey: EmbeddedValkey) -> AsyncIterator[tuple[SingleFlight, SingleFlight, Redis]]:
    """Two gateways on an empty cache, and a client of it."""
    one, other = CacheServer(valkey.url), CacheServer(valkey.url)
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushdb()
        yield gateway_of(one), gateway_of(other), redis
    await one.close()
    await other.close()


async def leases(redis: Redis) -> list[bytes]:
    return [key async for key in redis.scan_iter("*:*")]


async def ended(flight: SingleFlight, computation: Computation) -> dict[str, bool]:
    """Return by key whether another run computed it."""
    async with asyncio.timeout(LIMIT_S), aclosing(outcomes(flight, computation)) as lists:
        found = [outcome async for several in lists for outcome in several]
    assert all(outcome.result and outcome.result.symbol == outcome.key for outcome in found)
    return {outcome.key: outcome.shared for outcome in found}


@pytest.mark.parametrize("same_gateway", [True, False])
async def test_runs_at_the_same_time_compute_once(valkey: EmbeddedValkey, same_gateway: bool) -> None:
    async with gateways(valkey) as (one, other, _):
        first, second = Computation(), Computation()
        owning = asyncio.create_task(ended(one, first))
        await until(lambda: first.asked == KEYS)
        waiting = asyncio.create_task(ended(one if same_gateway else other, second))
        first.go.release()
        first.go.release()
        assert await owning == {"a": False, "b": False}
        assert await waiting == {"a": True, "b": True}
        assert second.asked == []


@pytest.mark.parametrize("same_gateway", [True, False])
async def test_a_run_that_leaves_gives_the_rest_to_one_that_waits(
    valkey: EmbeddedValkey, same_gateway: bool
) -> None:
    async with gateways(valkey) as (one, other, _):
        first, second = Computation(1), Computation(2)
        leaving = outcomes(one, first)
        assert [outcome.key for outcome in await anext(leaving)] == ["a"]
        waiting = asyncio.create_task(ended(one if same_gateway else other, second))
        await leaving.aclose()
        # What it had computed is saved.
        assert await waiting == {"a": True, "b": False}
        assert second.asked == ["b"]


async def test_a_run_whose_reader_stalls_is_overtaken_after_a_lease(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateways(valkey) as (one, _, redis):
        clock = ShiftedClock(monkeypatch)
        first, second = Computation(2), Computation(2)
        stalled = outcomes(one, first)
        assert [outcome.key for outcome in await anext(stalled)] == ["a"]
        waiting = asyncio.create_task(ended(one, second))
        await clock.let_pass(0.5 * LEASE_S)
        assert second.asked == []
        # It renews no lease any more, which expires at the server.
        await redis.delete(*await leases(redis))
        await clock.let_pass(LEASE_S)
        await until(waiting.done)
        assert set(second.asked) <= {"a", "b"}
        assert "b" in second.asked
        assert (await waiting)["b"] is False
        # And it gets everything all the same.
        assert [outcome.key async for several in stalled for outcome in several] == ["b"]


async def test_a_run_that_computes_for_long_keeps_its_leases(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateways(valkey) as (one, _, redis):
        clock = ShiftedClock(monkeypatch)
        first, second = Computation(), Computation()

        async def are_renewed() -> bool:
            return max([await redis.pttl(lease) for lease in await leases(redis)]) <= LEASE_S * 1000

        owning = asyncio.create_task(ended(one, first))
        await until(lambda: first.asked == KEYS)
        waiting = asyncio.create_task(ended(one, second))
        for _ in range(10):
            for lease in await leases(redis):
                # Of another length than a lease has: it is seen to be renewed.
                await redis.pexpire(lease, 3_600_000)
            await clock.let_pass(LEASE_S / 3)
            await until(are_renewed)
        first.go.release()
        first.go.release()
        assert await owning == {"a": False, "b": False}
        assert await waiting == {"a": True, "b": True}
        assert second.asked == []


async def test_an_error_of_the_computation_reaches_every_run_that_waits(valkey: EmbeddedValkey) -> None:
    async with gateways(valkey) as (one, _, redis):
        first, second = Computation(), Computation()
        owning = asyncio.create_task(ended(one, first))
        await until(lambda: first.asked == KEYS)
        waiting = asyncio.create_task(ended(one, second))
        await asyncio.sleep(0)
        first.error = Unavailable("compute is away")
        first.go.release()
        for run in (owning, waiting):
            with pytest.raises(Unavailable, match="compute is away"):
                await run
        assert second.asked == []
        assert await leases(redis) == []
