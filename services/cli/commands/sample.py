"""`backcast sample`: imports a made-up market to try Backcast with."""

import asyncio

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway
from services.cli.views.console import CountColumn, make_console
from services.imports.candle_writer import write_candles
from services.local.sample_market import CRYPTO_COUNT, HOURS, sample_market

# Concurrent imports; this many keep the database busy while the next candles are made.
_AT_ONCE = 4


def sample(address: str) -> None:
    """Write the sample market to the data service at `address`."""
    asyncio.run(write_sample_market(address, make_console()))


async def write_sample_market(address: str, console: Console) -> None:
    """Write the sample market, with a progress bar."""
    slots = asyncio.Semaphore(_AT_ONCE)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with progress, readable_errors("gateway", address):
        bar = progress.add_task("writing the sample market", total=CRYPTO_COUNT)
        async with open_gateway(address) as channel:
            stub = MarketDataServiceStub(channel)

            async def write(symbol: str, candles: Candles) -> None:
                try:
                    await write_candles(stub, symbol, candles, synthetic=True)
                finally:
                    slots.release()
                progress.advance(bar)

            try:
                async with asyncio.TaskGroup() as writes:
                    for symbol, candles in sample_market():
                        await slots.acquire()
                        writes.create_task(write(symbol, candles))
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
    console.print(
        f"sample market: {CRYPTO_COUNT} cryptos × {HOURS:,} hourly candles of 2025; all of it is synthetic",
        highlight=False,
    )
