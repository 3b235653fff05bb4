"""The big market: a database of 211 cryptos × five years of hourly candles, and the data service on it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import VALUE_COLUMNS, Candles
from services.data.maintenance.columnstore import compress
from services.data.schema.migrate import migrate
from services.data.store.copy_format import HEADER, TRAILER, encode_rows
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.local.ports import HOST, choose_ports
from services.local.postgres import EmbeddedPostgres
from services.local.sample_market import sample_market
from services.local.stack import serve_command
from services.rpc.channel import open_channel
from tests.data.timescale_server import TimescaleServer, timescale_programs

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 43_800
START_S = 1_600_000_000 // 3600 * 3600
END_S = START_S + HOURS * 3600
_IMPORTS_AT_ONCE = 3
_COPIED_CRYPTOS = 32


@dataclass(frozen=True, slots=True)
class Market:
    """What is measured: the database, and a client of the data service that serves it."""

    database: Database
    kind: str
    address: str
    data: "MarketDataServiceAsyncStub"
    symbols: list[str]
    crypto_ids: dict[str, int]
    imported_per_s: float
    copied_per_s: float


def big_market() -> Iterator[tuple[str, Candles]]:
    """Yield symbol and candles of each crypto, the same every time."""
    return sample_market(HOURS, START_S)


@asynccontextmanager
async def open_market(folder: Path) -> AsyncGenerator[Market]:
    """Start a TimescaleDB where there is one, PostgreSQL otherwise; fill it; start the data service."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    programs = timescale_programs()
    server = TimescaleServer(folder, programs) if programs else EmbeddedPostgres(folder)
    try:
        server.start()
        async with Database.connect(server.url, 8) as database:
            await migrate(database)
            # Made beforehand: making candles takes time too, which is none of the import's.
            market = list(big_market())
            symbols, seconds = [symbol for symbol, _ in market], await timed_imports(database, market)
            del market
            if programs:
                await compress_chunks(database, 1)
            async with _data_service(server.url) as address, open_channel(address) as channel:
                yield Market(
                    database,
                    await server_kind(database),
                    address,
                    MarketDataServiceStub(channel),
                    symbols,
                    await _crypto_ids(database),
                    len(symbols) * HOURS / seconds,
                    await _copied_per_s(database),
                )
    finally:
        server.stop()


async def timed_imports(database: Database, market: list[tuple[str, Candles]]) -> float:
    """Import candles, a few cryptos at once; return how many seconds it took."""
    store, places = CandleStore(database), asyncio.Semaphore(_IMPORTS_AT_ONCE)

    async def write(symbol: str, candles: Candles) -> None:
        async with places:
            await store.write_candles(symbol, True, candles)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(write(*each) for each in market))
    return loop.time() - began


async def _copied_per_s(database: Database) -> float:
    """Return how many rows a second bare COPYs add, a few at once, to a table like that of the candles."""
    cryptos = [candles for _, candles in islice(big_market(), _COPIED_CRYPTOS)]
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE copied (LIKE candles_1h INCLUDING ALL)")
    places = asyncio.Semaphore(_IMPORTS_AT_ONCE)

    async def copy(number: int, candles: Candles) -> None:
        columns = {name: np.rint(getattr(candles, name)).astype(np.int64) for name in VALUE_COLUMNS}
        rows = encode_rows({"crypto_id": number, "ts": candles.open_time_s, **columns})
        async with places, database.connection() as connection:
            await connection.copy_to_table("copied", source=_parts(rows), format="binary")

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(copy(number, candles) for number, candles in enumerate(cryptos)))
    rate = len(cryptos) * HOURS / (loop.time() - began)
    async with database.connection() as connection:
        await connection.execute("DROP TABLE copied")
    return rate


async def _parts(rows: bytes) -> AsyncGenerator[bytes]:
    for part in (HEADER, rows, TRAILER):
        yield part


async def _crypto_ids(database: Database) -> dict[str, int]:
    async with database.connection() as connection:
        return dict(await connection.fetch("SELECT symbol, crypto_id FROM cryptos"))


async def compress_chunks(database: Database, after_days: int) -> None:
    """Compress the chunks that ended `after_days` ago, and bring what the planner knows up to date."""
    async for _ in compress(database, after_days):
        pass
    async with database.connection() as connection:
        await connection.execute("VACUUM ANALYZE")


async def server_kind(database: Database) -> str:
    """Return name and version of the server."""
    async with database.connection() as connection:
        version = await connection.fetchval("SHOW server_version")
        timescale = await connection.fetchval(
            "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
        )
    return f"TimescaleDB {timescale} on PostgreSQL {version}" if timescale else f"PostgreSQL {version}"


@asynccontextmanager
async def _data_service(url: str) -> AsyncGenerator[str]:
    (port,) = choose_ports([0])
    service = subprocess.Popen(
        serve_command("data"),
        env={**os.environ, "BACKCAST_DATABASE_URL": url, "BACKCAST_DATA_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr if "BACKCAST_DEBUG" in os.environ else subprocess.DEVNULL,
    )
    try:
        async with open_channel(f"{HOST}:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 60)
        yield f"{HOST}:{port}"
    finally:
        service.terminate()
        service.wait()
