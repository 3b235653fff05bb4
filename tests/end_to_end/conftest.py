from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.shared.candles import Candles
from tests.candle_making import START_S, import_candles, random_candles

if TYPE_CHECKING:
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
