"""Leases on keys, on a real server: one of many gateways computes a key, and loses it when it dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from services.gateway.cache.connection import CacheServer
from services.gateway.cache.leases import LEASE_S, Leases, LeaseState
from services.local.valkey import EmbeddedValkey

pytestmark = pytest.mark.asyncio(loop_scope="function")

HELD, GRANTED, CACHED = LeaseState.HELD, LeaseState.GRANTED, LeaseState.CACHED


@asynccontextmanager
async def two_holders(valkey: EmbeddedValkey) -> AsyncIterator[tuple[Leases, Leases, Redis]]:
    server = CacheServer(valkey.url)
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushdb()
        yield Leases(server), Leases(server), redis
    await server.close()


async def lease_of(redis: Redis) -> str:
    """Return the key of the only lease."""
    (lease,) = [key.decode() async for key in redis.scan_iter("a:*")]
    return lease


async def test_a_lease_is_granted_once_and_again_when_it_is_released(valkey: EmbeddedValkey) -> None:
    async with two_holders(valkey) as (one, other, _):
        assert await one.take(["a", "b"]) == [GRANTED, GRANTED]
        assert await other.take(["b", "c"]) == [HELD, GRANTED]
        await one.release(["b"])
        assert await other.take(["a", "b"]) == [HELD, GRANTED]


async def test_a_key_that_is_cached_needs_no_lease(valkey: EmbeddedValkey) -> None:
    async with two_holders(valkey) as (one, _, redis):
        await redis.set("a", b"value")
        assert await one.take(["a", "b"]) == [CACHED, GRANTED]


async def test_only_its_holder_renews_and_releases_a_lease(valkey: EmbeddedValkey) -> None:
    async with two_holders(valkey) as (one, other, redis):
        await one.take(["a"])
        lease = await lease_of(redis)
        await redis.pexpire(lease, 3_600_000)
        await other.renew(["a"])
        await other.release(["a"])
        assert await redis.pttl(lease) > LEASE_S * 1000
        await one.renew(["a"])
        assert 0 < await redis.pttl(lease) <= LEASE_S * 1000


async def test_a_lease_that_has_expired_is_the_next_ones_and_stays_so(valkey: EmbeddedValkey) -> None:
    async with two_holders(valkey) as (one, other, redis):
        await one.take(["a"])
        lease = await lease_of(redis)
        assert 0 < await redis.pttl(lease) <= LEASE_S * 1000
        # As the server does when the time is over.
        await redis.delete(lease)
        assert await other.take(["a"]) == [GRANTED]
        await one.renew(["a"])
        await one.release(["a"])
        assert await one.take(["a"]) == [HELD]
