"""The floor of a cached run: the same values, read from the cache at once and no more."""

import time

from redis.asyncio import Redis

from services.local.sample_market import CRYPTO_COUNT
from tests.bench.timing import Timing

_RESULTS = "backcast:result:*"


async def cached_values(cache: Redis) -> dict[bytes, bytes]:
    """Return the results of one run, by their keys; which run's they are makes no difference."""
    found = [key async for key in cache.scan_iter(_RESULTS, count=1000)]
    keys = [key for key in found if not key.endswith(b":lease")][:CRYPTO_COUNT]
    return dict(zip(keys, await cache.mget(keys), strict=True))


async def timed_mget(cache: Redis, keys: list[bytes]) -> Timing:
    """Read all values in one round trip."""
    began = time.perf_counter()
    await cache.mget(keys)
    return Timing(time.perf_counter() - began)
