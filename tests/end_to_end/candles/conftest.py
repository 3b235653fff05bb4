"""A market, and column files of a compute service that fetches its candles over a line."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.source import CandleSource
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.candles.columns import CRYPTOS, HOURS, _numbers
from tests.end_to_end.line import Line

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@pytest.fixture
async def market(data_service: "MarketDataServiceAsyncStub") -> dict[str, Candles]:
    """Six cryptos of this test alone, as they are stored."""
    market = {f"COL{next(_numbers)}USDT": random_candles(number + 300, HOURS) for number in range(CRYPTOS)}
    for symbol, candles in market.items():
        await import_candles(data_service, symbol, candles)
    return market


@pytest.fixture
async def line(stack: LocalStack) -> AsyncIterator[Line]:
    async with Line(stack.data_address) as line:
        yield line


@pytest.fixture
async def source(line: Line) -> AsyncIterator[CandleSource]:
    async with open_channel(line.address) as channel:
        yield CandleSource(MarketDataServiceStub(channel))


@pytest.fixture
def files(tmp_path: Path) -> ColumnFiles:
    return ColumnFiles(tmp_path / "columns", 1.0)


@pytest.fixture
def supply(files: ColumnFiles, source: CandleSource) -> ColumnProvider:
    return ColumnProvider(files, source)
