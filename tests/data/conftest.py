"""Real servers, of PostgreSQL and of TimescaleDB, and new databases on them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.schema.migrate import migrate
from services.data.store.catalog import Crypto, CryptoStore
from services.data.store.database import Database
from services.data.store.reader import Histories, HistoryQuery
from services.data.store.writer import CandleStore
from services.local.postgres import EmbeddedPostgres
from tests.data.timescale_server import TimescaleServer, timescale_programs
from tests.waiting import LIMIT_S

Server = EmbeddedPostgres | TimescaleServer

_numbers = count()


# Decided before the tests are collected: without TimescaleDB one test says so, not every test twice.
KINDS = ["postgres"] if timescale_programs() is None else ["postgres", "timescaledb"]

timescale_only = pytest.mark.parametrize(
    "server",
    [
        pytest.param(
            "timescaledb",
            marks=pytest.mark.skipif(
                "timescaledb" not in KINDS,
                reason="NO TIMESCALEDB: none is installed here, and BACKCAST_TEST_PG_BIN names none",
            ),
        )
    ],
    indirect=True,
)

plain_only = pytest.mark.parametrize("server", ["postgres"], indirect=True)


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[Server]:
    """A server of each kind that this machine has."""
    folder = short_folder / request.param
    folder.mkdir()
    server: Server = EmbeddedPostgres(folder) if request.param == "postgres" else _timescale(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _timescale(folder: Path) -> TimescaleServer:
    programs = timescale_programs()
    assert programs
    return TimescaleServer(folder, programs)


def url_of(server: Server, database: str, user: str = "postgres") -> str:
    return server.url.replace("postgres@/postgres?", f"{user}@/{database}?")


@asynccontextmanager
async def new_database(server: Server) -> AsyncIterator[str]:
    """Lend an empty database; give its URL."""
    name = f"test_{next(_numbers)}"
    await execute(server.url, f"CREATE DATABASE {name}")
    try:
        yield url_of(server, name)
    finally:
        await execute(server.url, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def updates_refused(url: str, condition: str) -> AsyncIterator[None]:
    """Have the database end as without power at an update of `cryptos` where `condition` holds."""
    await execute(
        url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'the power is gone' USING ERRCODE = 'admin_shutdown'; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON cryptos FOR EACH ROW "
        f"WHEN ({condition}) EXECUTE FUNCTION refuse()",
    )
    yield
    await execute(url, "DROP TRIGGER refuse ON cryptos")


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def empty_url(server: Server) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    async with new_database(server) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database(server: Server) -> AsyncIterator[Database]:
    """A database that a module's tests share, each with cryptos of its own."""
    async with new_database(server) as url, Database.connect(url, 5) as database:
        await migrate(database)
        yield database


@pytest.fixture
async def database(module_database: Database) -> Database:
    """A database without candles."""
    async with module_database.connection() as connection:
        await connection.execute(
            "TRUNCATE cryptos, candle_changes, breaks, packed_hours, feeds, fetches, fetchers, "
            "candles_1h, candles_4h, candles_1d, candles_1w"
        )
    return module_database


@pytest.fixture
def store(database: Database) -> CandleStore:
    return CandleStore(database)


@pytest.fixture
def cryptos(database: Database) -> CryptoStore:
    return CryptoStore(database)


@dataclass(frozen=True)
class StoredHistory:
    """What readers get: all of a crypto's candles, and their fingerprint."""

    fingerprint: str
    candles: Candles


async def history_of(
    database: Database,
    symbol: str,
    interval: Interval = Interval.HOUR_1,
    start_s: int = EARLIEST_S,
    end_s: int = LATEST_S,
) -> StoredHistory:
    query = HistoryQuery(interval, start_s=start_s, end_s=end_s)
    history = await Histories(database, CryptoStore(database)).one(symbol, query)
    return StoredHistory(history.fingerprint, Candles(history.open_time_s, **history.columns))


async def listed(cryptos: CryptoStore) -> dict[str, Crypto]:
    return {crypto.symbol: crypto for crypto in (await cryptos.page([], "", 1000)).cryptos}


async def until_waiting(database: Database, count: int) -> None:
    """Wait until so many connections wait for a lock."""
    async with asyncio.timeout(LIMIT_S), database.connection() as connection:
        while (
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            < count
        ):
            await asyncio.sleep(0)


async def blocks_of(*parts: Candles) -> AsyncIterator[Candles]:
    for part in parts:
        yield part


def bits(candles: Candles) -> list[bytes]:
    """What equals only if every bit does, of zeros and of what is no number too."""
    return [column.tobytes() for column in candles.columns()]


def rows(candles: Candles) -> list[tuple[int, float, float, float, float, float]]:
    return list(zip(*(column.tolist() for column in candles.columns()), strict=True))


def candles_of(rows_: list[tuple[int, float, float, float, float, float]]) -> Candles:
    times, *prices = zip(*rows_, strict=True)
    return Candles(np.array(times, np.int64), *(np.array(column, np.float64) for column in prices))
