from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.gateway.upstream.market import MarketCatalog
from services.local.postgres import EmbeddedPostgres
from services.local.valkey import EmbeddedValkey
from services.rpc.channel import open_channel
from tests.gateway.market_data import Calls, MarketData, served_market
from tests.waiting import LIMIT_S


@pytest.fixture(scope="session")
def valkey(short_folder: Path) -> Iterator[EmbeddedValkey]:
    """A cache server for tests that need nothing else."""
    folder = short_folder / "valkey-alone"
    folder.mkdir()
    with EmbeddedValkey(folder) as server:
        yield server


@pytest.fixture(scope="session")
async def data(short_folder: Path) -> AsyncIterator[MarketData]:
    """A data service for tests that need nothing else."""
    folder = short_folder / "postgres-alone"
    folder.mkdir()
    with EmbeddedPostgres(folder) as server:
        async with served_market(server.url) as data:
            yield data


@pytest.fixture
async def calls() -> Calls:
    """The calls of `market`."""
    return Calls()


@pytest.fixture
async def market(data: MarketData, calls: Calls) -> AsyncIterator[MarketCatalog]:
    """The market as a gateway sees it; no check is slow, however busy the machine is."""
    async with open_channel(data.address, interceptors=[calls]) as channel:
        yield MarketCatalog(MarketDataServiceStub(channel), slow_check_s=LIMIT_S)
