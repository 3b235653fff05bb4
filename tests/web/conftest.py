from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.clients import Page

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOLS = [f"WEB{number}USDT" for number in range(6)]
HOURS = 24 * 100


@pytest.fixture(scope="session")
def temporary_files(short_folder: Path) -> Path:
    """The folder of temporary files of the page's process, which is nobody else's."""
    folder = short_folder / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
async def web(stack: LocalStack, short_folder: Path, temporary_files: Path) -> AsyncIterator[OneService]:
    """The page's process, beside the stack."""
    async with AsyncExitStack() as started:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("TMPDIR", str(temporary_files))
            service = service_beside(stack, "web", short_folder / "web", web_max_upload_bytes=200_000)
            web = await started.enter_async_context(service)
        yield web


@pytest.fixture(scope="session")
async def page(web: OneService) -> Page:
    """A client of it."""
    return Page(web.address)


@pytest.fixture(scope="session")
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """A client of the gateway itself."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


@pytest.fixture(scope="session")
async def market(data_service: "MarketDataServiceAsyncStub") -> dict[str, Candles]:
    candles = {symbol: random_candles(number, HOURS) for number, symbol in enumerate(SYMBOLS)}
    for symbol, columns in candles.items():
        await import_candles(data_service, symbol, columns)
    return candles
