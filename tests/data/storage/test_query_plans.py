"""What a crypto's candles cost does not depend on how many others there are.

PostgreSQL counts what each table's scans have read, so the very statements of CandleStore are measured, as
they ran: a sequential scan, or an index scan that does not stop at the crypto's candles, shows.
"""

from dataclasses import dataclass

import pytest

from services.data.candle_store import CandleStore, ImportCounts
from services.data.cryptos import CryptoStore
from services.data.database import Database
from services.data.migrate import migrate
from services.shared.candles import Candles
from services.shared.interval import Interval
from tests.candle_making import random_candles

from .conftest import blocks_of, new_database

CRYPTOS, HOURS = 25, 12_000
CANDLES = random_candles(1, HOURS + 48)

_FILL = """
INSERT INTO candles_1h
SELECT crypto_id, to_timestamp($1 + 3600 * hour), 100, 101, 99, 100, hour
FROM generate_series(1001, 1000 + $2::int) AS crypto_id, generate_series(0, $3::int - 1) AS hour
"""
# A hypertable's candles are in its chunks.
_SCANS = """
SELECT sum(seq_scan), sum(idx_scan), sum(idx_tup_fetch)
FROM pg_stat_user_tables
WHERE relname = 'candles_1h' OR schemaname = '_timescaledb_internal'
"""


@dataclass(frozen=True)
class Scans:
    """Of the table of candles, with all its chunks."""

    sequential: int
    index: int
    index_rows: int


@pytest.fixture(scope="module")
async def crowded(server):
    """A database of many cryptos, with one connection, so that what was counted is asked of who counted."""
    async with new_database(server) as url, Database.connect(url, 1) as database:
        await migrate(database)
        async with database.connection() as connection:
            await connection.execute(_FILL, int(CANDLES.open_time_s[0]), CRYPTOS, HOURS)
            await connection.execute("ANALYZE")
        yield database


async def _scans(database: Database) -> Scans:
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return Scans(*map(int, await connection.fetchrow(_SCANS)))


@pytest.mark.parametrize("interval", Interval)
async def test_a_history_reads_its_own_candles_only(crowded, interval):
    store = CandleStore(crowded)
    await store.write("READUSDT", False, blocks_of(CANDLES[:HOURS]))
    crypto_id = (await CryptoStore(crowded).ids(["READUSDT"]))["READUSDT"]
    before = await _scans(crowded)
    history = await store.history(crypto_id, interval)
    after = await _scans(crowded)
    assert len(history.candles) == -(-HOURS * 3600 // interval.seconds)
    assert after.sequential == before.sequential
    assert after.index > before.index
    assert after.index_rows - before.index_rows == HOURS


async def test_an_import_reads_only_what_it_may_change(crowded):
    store = CandleStore(crowded)
    volume = CANDLES.volume.copy()
    volume[100:105] += 1
    corrected = Candles(*CANDLES.columns()[:-1], volume)
    imports = [
        # The candles, what they do, and how many stored ones must be read.
        (CANDLES[:HOURS], ImportCounts(HOURS, 0, 0), 0),
        (CANDLES[HOURS:], ImportCounts(48, 0, 0), 0),
        (CANDLES[500:600], ImportCounts(0, 0, 100), 100),
        (corrected[:200], ImportCounts(0, 5, 195), 200 + 5),
    ]
    for candles, counts, read in imports:
        before = await _scans(crowded)
        assert await store.write("WRITEUSDT", False, blocks_of(candles)) == counts
        after = await _scans(crowded)
        assert after.sequential == before.sequential
        assert after.index_rows - before.index_rows == read


async def test_a_list_reads_no_candle(crowded):
    await CandleStore(crowded).write("LISTUSDT", False, blocks_of(CANDLES[:24]))
    before = await _scans(crowded)
    cryptos = await CryptoStore(crowded).page([], "", 1000)
    assert "LISTUSDT" in [crypto.symbol for crypto in cryptos]
    assert await _scans(crowded) == before
