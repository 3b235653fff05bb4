"""A run goes on without a cache that goes away, and a cache mode says what is read and written."""

from collections.abc import AsyncIterator

import pytest
import structlog
from google.rpc.code_pb2 import NOT_FOUND

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import run_events_pb2 as pb
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.planning.run_plan import CacheMode
from services.local.ports import free_ports


@pytest.fixture
async def absent_cache() -> AsyncIterator[ResultCache]:
    """A cache whose server does not listen."""
    server = CacheServer(f"redis://127.0.0.1:{free_ports(1)[0]}")
    yield ResultCache(server)
    await server.close()


async def test_a_run_goes_on_without_an_absent_cache_and_logs_it_once(absent_cache: ResultCache) -> None:
    cache = RunCache(absent_cache, CacheMode.DEFAULT)
    assert (cache.state, cache.is_read) == (pb.CACHE_STATE_USED, True)
    with structlog.testing.capture_logs() as logs:
        assert await cache.results(["a", "b"]) == {}
        assert await cache.get(["a", "b"]) == [None, None]
        await cache.put("a", ComputedResult(symbol="A"))
        await cache.flush()
    assert (cache.state, cache.is_used) == (pb.CACHE_STATE_UNAVAILABLE, False)
    assert [log["event"] for log in logs] == ["cache unavailable, run continues without it"]
    absence = cache.absence("its result is")
    assert absence.code == NOT_FOUND
    assert absence.message == "its result is not available: the cache does not answer"


async def test_a_value_that_cannot_be_written_loses_the_cache(absent_cache: ResultCache) -> None:
    cache = RunCache(absent_cache, CacheMode.REFRESH)
    await cache.put("a", ComputedResult(symbol="A"))
    await cache.flush()
    assert cache.state == pb.CACHE_STATE_UNAVAILABLE


async def test_a_bypassed_cache_is_neither_read_nor_written(absent_cache: ResultCache) -> None:
    cache = RunCache(absent_cache, CacheMode.BYPASS)
    assert await cache.results(["a"]) == {}
    await cache.put("a", ComputedResult(symbol="A"))
    await cache.flush()
    assert (cache.state, cache.is_used) == (pb.CACHE_STATE_BYPASSED, False)


async def test_a_refreshed_cache_is_written_and_not_read(absent_cache: ResultCache) -> None:
    cache = RunCache(absent_cache, CacheMode.REFRESH)
    assert await cache.get(["a"]) == [None]
    assert (cache.is_used, cache.is_read) == (True, False)


async def test_a_cache_that_is_read_only_is_read(absent_cache: ResultCache) -> None:
    cache = RunCache(absent_cache, CacheMode.ONLY)
    assert (cache.is_used, cache.is_read) == (True, True)
    assert cache.absence("its figures are").message == "its figures are not in the cache"
