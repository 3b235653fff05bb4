"""Fetches that tests ask for, and what does them in the test's process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from backcast.marketdata.v1 import fetch_service_pb2 as pb
from backcast.marketdata.v1.fetch_pb2 import Fetch, FetchSpec, FetchState
from backcast.marketdata.v1.fetch_service_pb2_grpc import FetchServiceStub
from services.feed.client import ExchangeClient
from services.feed.fetch_queue import FetchQueue
from services.feed.fetcher import Fetcher
from services.wire.candles import timestamp_to
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange
from tests.waiting import LIMIT_S, until

ENDED = (FetchState.FETCH_STATE_SUCCEEDED, FetchState.FETCH_STATE_FAILED)


@asynccontextmanager
async def fetcher(data: DataService, exchange: FollowedExchange, name: str = "one") -> AsyncIterator[None]:
    """Do fetches in this process, for as long as the context lasts."""
    async with ExchangeClient(
        exchange.stand_in.exchange, exchange.clock, exchange.stand_in.base_url
    ) as client:
        fetches = Fetcher(FetchQueue(data.channel, name), [client.exchange.name], lambda _: client, 0.02)
        task = asyncio.create_task(fetches.run())
        try:
            await until(lambda: is_there(data))
            yield
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def is_there(data: DataService) -> bool:
    """Return whether a feed process takes up fetches."""
    listed = await FetchServiceStub(data.channel).ListFetches(pb.ListFetchesRequest())
    return bool(listed.exchanges)


async def create(data: DataService, **spec: object) -> str:
    """Create a fetch from the first hour on; return its id."""
    asked = FetchSpec(**{"exchange": "binance", "start_time": timestamp_to(START_S), **spec})
    created = await FetchServiceStub(data.channel).CreateFetch(pb.CreateFetchRequest(spec=asked))
    return created.fetch.fetch_id


async def found(data: DataService, fetch_id: str) -> Fetch:
    """Return a fetch."""
    listed = await FetchServiceStub(data.channel).ListFetches(pb.ListFetchesRequest())
    (fetch,) = (each for each in listed.fetches if each.fetch_id == fetch_id)
    return fetch


async def ended(data: DataService, fetch_id: str) -> Fetch:
    """Return a fetch when it has ended."""

    async def has_ended() -> bool:
        return (await found(data, fetch_id)).state in ENDED

    await until(has_ended, 3 * LIMIT_S)
    return await found(data, fetch_id)
