"""Databases of the version that stored candles as doubles."""

from importlib.resources import files

import asyncpg
import pytest

from backcast_engine.errors import Refused
from services.data.schema.migrate import migrate
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.domain.aggregation import AGGREGATED
from tests.candle_making import longer_candles, random_candles
from tests.data.conftest import bits, blocks_of, history_of, listed, rows, updates_refused

MARKET = random_candles(1, 24 * 40)
SYNTHETIC = random_candles(2, 100)


@pytest.fixture
async def old_url(empty_url: str) -> str:
    """The URL of a database as that version left it: a market crypto, a synthetic one, an empty one."""
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(
            "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for version, name in ((1, "0001_candles.sql"), (2, "0002_aggregates.sql")):
            await connection.execute(files("services.data.schema").joinpath("migrations", name).read_text())
            await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", version, name)
        await connection.execute(
            "INSERT INTO cryptos (symbol, synthetic) "
            "VALUES ('MARKETUSDT', false), ('MADEUSDT', true), ('NONEUSDT', false)"
        )
        for crypto_id, candles in ((1, MARKET), (2, SYNTHETIC)):
            await connection.executemany(
                f"INSERT INTO candles_1h VALUES ({crypto_id}, to_timestamp($1), $2, $3, $4, $5, $6)",
                rows(candles),
            )
            await connection.execute(
                "UPDATE cryptos SET candle_count = $2, first_ts = to_timestamp($3), "
                "last_ts = to_timestamp($4) WHERE crypto_id = $1",
                crypto_id,
                len(candles),
                *candles.open_time_s[[0, -1]].tolist(),
            )
    finally:
        await connection.close()
    return empty_url


async def _assert_all_is_there(database: Database) -> None:
    expected = {"MARKETUSDT": MARKET, "MADEUSDT": SYNTHETIC}
    cryptos = await listed(CryptoStore(database))
    assert {symbol: crypto.candle_count for symbol, crypto in cryptos.items()} == {
        symbol: len(candles) for symbol, candles in expected.items()
    }
    for symbol, candles in expected.items():
        assert bits((await history_of(database, symbol)).candles) == bits(candles)
        for interval in AGGREGATED:
            longer = longer_candles(candles, interval)
            assert bits((await history_of(database, symbol, interval)).candles) == bits(longer)


async def test_candles_of_a_double_are_moved_with_the_fewest_connections(old_url):
    async with Database.connect(old_url, 2) as database:
        await migrate(database)
        await _assert_all_is_there(database)
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT to_regclass('candles_1h_doubles')") is None


async def test_market_and_synthetic_cryptos_of_one_name_stay_apart(old_url):
    async with Database.connect(old_url, 2) as database:
        await migrate(database)
        with pytest.raises(Refused, match="MADEUSDT has synthetic candles"):
            await CandleStore(database).write("MADEUSDT", False, blocks_of(MARKET))


async def test_a_move_that_was_broken_off_is_gone_on_with(old_url):
    # The symbols go in order: the first is moved, the second cannot be.
    is_the_second = "NEW.symbol = 'MARKETUSDT' AND NEW.fingerprint <> OLD.fingerprint"
    async with updates_refused(old_url, is_the_second):
        with pytest.raises(Exception, match="starting or stopping"):
            async with Database.connect(old_url, 2) as database:
                await migrate(database)
    async with Database.connect(old_url, 2) as database:
        await migrate(database)
        await _assert_all_is_there(database)
