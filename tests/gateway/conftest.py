from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from backcast.marketdata.v1 import market_data_service_pb2_grpc
from services.gateway.upstream.market import Market
from services.local.valkey import EmbeddedValkey
from tests.gateway.listing_service import ListingService
from tests.rpc.serving import channel_to


@pytest.fixture(scope="session")
def valkey(short_folder: Path) -> Iterator[EmbeddedValkey]:
    """A cache server for tests that need nothing else."""
    folder = short_folder / "valkey-alone"
    folder.mkdir()
    with EmbeddedValkey(folder) as server:
        yield server


@pytest.fixture
async def data() -> ListingService:
    """The data service that `market` asks."""
    service = ListingService()  # type: ignore[abstract]  # the other methods are not called
    service.release()
    return service


@pytest.fixture
async def market(data: ListingService) -> AsyncIterator[Market]:
    """The market as a gateway sees it."""
    add = partial(market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server, data)
    async with channel_to(add) as channel:
        yield Market(market_data_service_pb2_grpc.MarketDataServiceStub(channel))
