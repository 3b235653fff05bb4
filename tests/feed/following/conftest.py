"""A data service with a database of its own: a follower asks for all cryptos that are stored."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import pytest

from backcast.marketdata.v1 import feed_service_pb2 as pb
from backcast.marketdata.v1.feed_pb2 import Feed
from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceStub
from services.local.postgres import EmbeddedPostgres
from services.rpc.channel import open_channel
from tests.data.data_process import data_process
from tests.folders import new_folder


@dataclass
class DataService:
    """A data service, its address and its database."""

    channel: grpc.aio.Channel
    address: str
    database_url: str

    async def feed(self, quote: str) -> Feed:
        """Return the one feed of a quote currency."""
        listed = await FeedServiceStub(self.channel).ListFeeds(pb.ListFeedsRequest())
        (feed,) = (feed for feed in listed.feeds if feed.quote == quote)
        return feed

    async def age_lease(self, quote: str) -> None:
        """Have the lease of a feed been taken ten minutes earlier."""
        await self.execute(
            "UPDATE feeds SET turn_taken_at = turn_taken_at - INTERVAL '10 minutes' WHERE quote = $1", quote
        )

    async def value(self, query: str) -> object:
        """Return the one value that a query selects."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def execute(self, statement: str, *values: object) -> None:
        """Execute a statement in the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()


@pytest.fixture(scope="package")
async def data(short_folder: Path) -> AsyncIterator[DataService]:
    """The data service that followers write to."""
    with EmbeddedPostgres(new_folder(short_folder, "following")) as server:
        async with data_process(server.url) as (_, address), open_channel(address) as channel:
            yield DataService(channel, address, server.url)
