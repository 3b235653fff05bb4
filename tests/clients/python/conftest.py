"""Cryptos for tests of clients, and the Python client of the stack."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

import backcast
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.candle_making import import_candles, random_candles

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 24 * 100


@pytest.fixture(scope="session")
async def cryptos(data_service: "MarketDataServiceAsyncStub") -> dict[str, Candles]:
    """Eight cryptos, as they were imported."""
    candles = {f"CLIENT{number}USDT": random_candles(900 + number, HOURS) for number in range(8)}
    for symbol, columns in candles.items():
        await import_candles(data_service, symbol, columns)
    return candles


@pytest.fixture
def client(stack: LocalStack) -> Iterator[backcast.Client]:
    """A client for threads, whose frames are dicts of arrays."""
    with backcast.connect(stack.gateway_address, frames="numpy") as client:
        yield client


@pytest.fixture(scope="module")
def client_of_the_module(stack: LocalStack) -> Iterator[backcast.Client]:
    """The same client for all tests of a module."""
    with backcast.connect(stack.gateway_address, frames="numpy") as client:
        yield client


@pytest.fixture
async def aio_client(stack: LocalStack) -> "AsyncIterator[backcast.aio.Client]":
    """A client for asyncio, whose frames are dicts of arrays."""
    async with backcast.aio.connect(stack.gateway_address, frames="numpy") as client:
        yield client
