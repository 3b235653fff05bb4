from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import START_S, import_candles, random_candles
from tests.cli.conftest import Cli
from tests.end_to_end.operations.observed import Observed, observed_stack

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 24 * 100


@pytest.fixture(scope="session")
async def market(data_service: "MarketDataServiceAsyncStub") -> dict[str, Candles]:
    """Twelve cryptos, as they were imported; the third has gaps, and the last is listed late."""
    candles = {f"RUN{number:02}USDT": random_candles(number, HOURS) for number in range(12)}
    whole = candles["RUN02USDT"]
    there = np.ones(HOURS, np.bool_)
    there[500:507] = there[1000] = False
    candles["RUN02USDT"] = Candles(*(column[there] for column in whole.columns()))
    candles["RUN11USDT"] = random_candles(11, 240, START_S + 3600 * (HOURS - 240))
    for symbol, columns in candles.items():
        await import_candles(data_service, symbol, columns)
    return candles


@pytest.fixture(scope="session")
async def observed(stack: LocalStack, short_folder: Path) -> AsyncIterator[Observed]:
    """Services that show all they can, beside the stack."""
    async with observed_stack(stack, short_folder / "observed") as observed:
        yield observed


@pytest.fixture(scope="session")
async def observed_gateway(observed: Observed) -> "AsyncIterator[BacktestServiceAsyncStub]":
    """A client of their gateway."""
    async with open_channel(observed.stack.gateway_address) as channel:
        yield BacktestServiceStub(channel)


@pytest.fixture(scope="session")
async def cli(stack: LocalStack) -> Cli:
    """The command, with the stack's gateway."""
    return Cli(stack)
