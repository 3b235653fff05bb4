import asyncio

import asyncpg
import pytest

from backcast_engine.errors import Refused
from backcast_engine.interval import Interval
from services.data.schema.migrate import migrate
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from tests.candle_making import random_candles
from tests.data.conftest import KINDS, Server, blocks_of, execute, history_of, listed, new_database, url_of
from tests.data.timescale_server import TimescaleServer


async def _schema(url: str) -> list[tuple[object, ...]]:
    """Everything that a migration makes or notes, with the moment it did."""
    connection = await asyncpg.connect(url)
    try:
        columns = await connection.fetch(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        )
        applied = await connection.fetch("SELECT * FROM schema_migrations ORDER BY version")
    finally:
        await connection.close()
    return [tuple(row) for row in (*columns, *applied)]


async def test_a_migration_makes_a_schema_that_takes_and_gives_candles(empty_url):
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        assert await listed(CryptoStore(database)) == {}
        await CandleStore(database).write("NEWUSDT", False, blocks_of(random_candles(1, 48)))
        lengths = [len((await history_of(database, "NEWUSDT", each)).candles) for each in Interval]
    # The week is not over.
    assert lengths == [48, 12, 2, 0]


async def test_a_second_migration_changes_nothing(empty_url):
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        before = await _schema(empty_url)
        await migrate(database)
    assert await _schema(empty_url) == before
    assert len(before) > 20


async def test_services_that_start_together_migrate_once(empty_url):
    async def start() -> None:
        async with Database.connect(empty_url, 2) as database:
            await migrate(database)

    await asyncio.gather(*(start() for _ in range(4)))
    notes = [row for row in await _schema(empty_url) if row[0] in (1, 2, 3, 4, 5, 6)]
    assert [version for version, *_ in notes] == [1, 2, 3, 4, 5, 6]


async def test_a_newer_database_is_refused_and_stays_as_it_is(empty_url):
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        await execute(empty_url, "INSERT INTO schema_migrations VALUES (9001, '9001_later.sql')")
        before = await _schema(empty_url)
        with pytest.raises(Refused, match="newer than this version: it has migration 9001"):
            await migrate(database)
    assert await _schema(empty_url) == before


async def test_candles_live_in_a_hypertable_exactly_where_the_server_is_timescaledb(server, empty_url):
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        async with database.connection() as connection:
            extensions = {row[0] for row in await connection.fetch("SELECT extname FROM pg_extension")}
            hypertables = (
                await connection.fetch(
                    "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"
                )
                if "timescaledb" in extensions
                else []
            )
    assert [row[0] for row in hypertables] == (
        ["candles_1d", "candles_1h", "candles_4h"] if isinstance(server, TimescaleServer) else []
    )


def test_timescaledb_is_tested_too():
    if "timescaledb" not in KINDS:
        pytest.skip("NO TIMESCALEDB: none is installed here, and BACKCAST_TEST_PG_BIN names none")


async def test_an_account_that_only_owns_the_database_can_migrate_write_and_list(server: Server):
    await execute(server.url, "CREATE ROLE tenant LOGIN")
    try:
        async with new_database(server) as url:
            name = url.split("@/")[1].split("?")[0]
            await execute(server.url, f"ALTER DATABASE {name} OWNER TO tenant")
            async with Database.connect(url_of(server, name, "tenant"), 2) as database:
                await migrate(database)
                counts = await CandleStore(database).write("OWNUSDT", False, blocks_of(random_candles(1, 24)))
                page = await CryptoStore(database).page([], "", 10)
        assert counts.inserted == 24
        assert [crypto.symbol for crypto in page.cryptos] == ["OWNUSDT"]
        assert page.version
    finally:
        await execute(server.url, "DROP ROLE tenant")
