"""`python -m tests.data.importer ADDRESS`: imports the killed market, and says what was written."""

import asyncio
import sys

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from services.imports.candle_writer import write_candles
from services.rpc.channel import open_channel
from tests.candle_making import random_candles

HOURS = 5000
SYMBOLS = [f"KILL{number:02}USDT" for number in range(12)]


def candles_of(symbol: str) -> Candles:
    """Return the candles that the import of a symbol brings."""
    return random_candles(SYMBOLS.index(symbol), HOURS)


async def main(address: str) -> None:
    """Import one crypto after the other, and print each when its import was answered."""
    async with open_channel(address) as channel:
        for symbol in SYMBOLS:
            await write_candles(MarketDataServiceStub(channel), symbol, candles_of(symbol))
            print(symbol, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
