"""A data service for fetches, which try again without waiting and write often."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import stamina

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.feed import fetch
from services.local.postgres import EmbeddedPostgres
from services.rpc.channel import open_channel
from tests.data.data_process import data_process
from tests.folders import new_folder

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@pytest.fixture(scope="package")
async def data_service(short_folder: Path) -> "AsyncIterator[MarketDataServiceAsyncStub]":
    """A client of a data service with a database of its own; a fetch needs no other service."""
    with EmbeddedPostgres(new_folder(short_folder, "feed")) as server:
        async with data_process(server.url) as (_, address), open_channel(address) as channel:
            yield MarketDataServiceStub(channel)


@pytest.fixture(autouse=True, scope="package")
def retries_without_waiting() -> Iterator[None]:
    """Try again at once, and as often as without the test."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture(autouse=True, scope="package")
def small_batches() -> Iterator[None]:
    """Write often, so that there is something to lose and to resume."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "_CANDLES_TOGETHER", 150)
        yield
