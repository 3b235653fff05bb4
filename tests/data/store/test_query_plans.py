"""What a crypto's candles cost does not depend on how many others there are.

PostgreSQL counts what each table's scans have read, so the very statements of CandleStore are measured, as
they ran: a sequential scan, or an index scan that does not stop at the crypto's candles, shows.
"""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import numpy as np
import pytest

from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.data.maintenance.columnstore import compress
from services.data.schema.migrate import migrate
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database, has_timescale
from services.data.store.packed_hours import BLOCK_HOURS
from services.data.store.tables import CANDLE_TABLES, CandleTable, ticks_of
from services.data.store.writer import CandleStore, ImportCounts
from tests.candle_making import random_candles
from tests.data.conftest import Server, blocks_of, history_of, new_database, timescale_only

CRYPTOS, HOURS = 25, 12_000
# Of few decimals, as a market's are: candles that need more make the import rewrite those that are stored.
_TIMES_S, *_VALUES = random_candles(1, HOURS + 48).columns()
CANDLES = Candles(_TIMES_S, *(np.round(column, 2) for column in _VALUES))

# As many rows in each table: a table of a few pages is rightly read from end to end.
_FILL = """
INSERT INTO {table} (crypto_id, ts, open, high, low, close, volume {count_column})
SELECT crypto_id, to_timestamp($1 + 3600 * hour), 100, 101, 99, 100, hour {count_value}
FROM generate_series(1001, 1000 + $2::int) AS crypto_id, generate_series(0, $3::int - 1) AS hour
"""
_FILL_BLOCKS = """
INSERT INTO packed_hours (crypto_id, column_name, ts, ticks)
SELECT crypto_id, column_name, to_timestamp($1) + block * INTERVAL '876 hours',
    decode(repeat('00', 4 * 876), 'hex')
FROM cryptos, unnest($2::text[]) AS column_name, generate_series(0, 13) AS block
"""
_FILL_CRYPTOS = """
INSERT INTO cryptos (crypto_id, symbol) OVERRIDING SYSTEM VALUE
SELECT crypto_id, 'OTHER' || crypto_id FROM generate_series(1001, 1000 + $1::int) AS crypto_id
"""
# A hypertable's candles are in its chunks.
_SCANS = """
SELECT sum(seq_scan), sum(idx_scan), sum(idx_tup_fetch)
FROM pg_stat_user_tables
WHERE relname LIKE 'candles_%' OR relname = 'packed_hours' OR schemaname = '_timescaledb_internal'
"""


@dataclass(frozen=True)
class Scans:
    """Of the table of candles, with all its chunks."""

    sequential: int
    index: int
    index_rows: int


@pytest.fixture(scope="module")
async def crowded(server: Server) -> AsyncIterator[Database]:
    """A database of many cryptos, with few connections, so that what was counted is asked of who counted."""
    async with new_database(server) as url, Database.connect(url, 2) as database:
        await migrate(database)
        async with database.connection() as connection:
            for interval, table in CANDLE_TABLES.items():
                counted = interval is not Interval.HOUR_1
                fill = _FILL.format(
                    table=table,
                    count_column=", candle_count" if counted else "",
                    count_value=f", {interval.seconds // 3600}" if counted else "",
                )
                await connection.execute(fill, int(CANDLES.open_time_s[0]), CRYPTOS, HOURS)
            await connection.execute(_FILL_CRYPTOS, CRYPTOS)
            await connection.execute(_FILL_BLOCKS, int(CANDLES.open_time_s[0]), VALUE_COLUMNS)
            await connection.execute("ANALYZE")
        yield database


async def _scans(database: Database) -> Scans:
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return Scans(*map(int, await connection.fetchrow(_SCANS)))


@pytest.mark.parametrize("since", ["ever", "its first candle"])
@pytest.mark.parametrize("interval", Interval)
async def test_a_history_reads_its_own_candles_only(crowded, interval, since):
    store = CandleStore(crowded)
    await store.write("READUSDT", False, blocks_of(CANDLES[:HOURS]))
    # Since its first candle: whether there are earlier ones is looked up.
    start_s = EARLIEST_S if since == "ever" else interval.opening(int(CANDLES.open_time_s[0]))
    before = await _scans(crowded)
    history = await history_of(crowded, "READUSDT", interval, start_s)
    after = await _scans(crowded)
    whole, left = divmod(HOURS * 3600, interval.seconds)
    assert len(history.candles) == whole
    assert after.sequential == before.sequential
    assert after.index > before.index
    async with crowded.connection() as connection:
        is_packed = interval is Interval.HOUR_1 and not await has_timescale(connection)
    if is_packed:
        first, last = (int(time_s) // (3600 * BLOCK_HOURS) for time_s in CANDLES.open_time_s[[0, HOURS - 1]])
        rows = len(VALUE_COLUMNS) * (last - first + 1)
    else:
        # The longer candle that has not ended is read with the others, and once more by the index of those
        # that miss hours.
        rows = whole + 2 * (left > 0)
    assert after.index_rows - before.index_rows == rows


async def test_an_import_reads_only_what_it_may_change(crowded):
    store = CandleStore(crowded)
    volume = CANDLES.volume.copy()
    volume[100:105] += 1
    corrected = Candles(*CANDLES.columns()[:-1], volume)
    imports = [
        # The candles, and what they do.
        (CANDLES[:HOURS], ImportCounts(HOURS, 0, 0)),
        (CANDLES[HOURS:], ImportCounts(48, 0, 0)),
        (CANDLES[500:600], ImportCounts(0, 0, 100)),
        (corrected[:200], ImportCounts(0, 5, 195)),
    ]
    for candles, counts in imports:
        before = await _scans(crowded)
        assert await store.write("WRITEUSDT", False, blocks_of(candles)) == counts
        after = await _scans(crowded)
        assert after.sequential == before.sequential
        # The whole weeks that it touches, for the longer candles; the first one finds nothing stored.
        weeks = 0 if counts.inserted == HOURS else 2 + len(candles) // 168
        blocks = 2 * len(VALUE_COLUMNS)
        assert after.index_rows - before.index_rows <= weeks * ((168 + 42 + 7 + 1) * 2 + blocks)


async def test_a_list_reads_no_candle(crowded):
    await CandleStore(crowded).write("LISTUSDT", False, blocks_of(CANDLES[:24]))
    before = await _scans(crowded)
    page = await CryptoStore(crowded).page([], "", 1000)
    assert "LISTUSDT" in [crypto.symbol for crypto in page.cryptos]
    assert await _scans(crowded) == before


# Of so many cryptos a candle every 30 days, for three years: their chunks have many batches, and few rows.
_FILL_SPARSELY = """
INSERT INTO candles_1h (crypto_id, ts, open, high, low, close, volume)
SELECT crypto_id, TIMESTAMPTZ '2020-01-01 00:00+00' + number * INTERVAL '30 days', 100, 101, 99, 100, 1
FROM generate_series(1, 2000) AS crypto_id, generate_series(0, 35) AS number
"""
_CHUNKS_OF_WINDOW = """
SELECT chunk_name FROM timescaledb_information.chunks
WHERE hypertable_name = 'candles_1h' AND range_start < to_timestamp($2) AND range_end > to_timestamp($1)
"""
# Within 2021; the chunks change on 19 December 2020 and 2021.
WINDOW_S = (1_612_137_600, 1_625_097_600)


async def _explained_window(connection: asyncpg.Connection, crypto_ids: list[int]) -> str:
    """Return the plan of the very statement that reads a window."""
    statements: list[asyncpg.connection.LoggedQuery] = []
    with connection.query_logger(statements.append):
        read = await ticks_of(connection, Interval.HOUR_1, crypto_ids, ("ts", "open"), *WINDOW_S)
        # The statistics show a statement some time before the answer of the next.
        await connection.execute("SELECT")
    assert [len(times) for times, _ in read.values()] == [5] * len(crypto_ids)
    # The driver asks for the type of the ids, too.
    (statement,) = [each for each in statements if "candles_1h" in each.query]
    plan = await connection.fetch(f"EXPLAIN {statement.query}", *statement.args)
    return "\n".join(line for (line,) in plan)


@pytest.mark.parametrize("crypto_ids", [[1000], [999, 1000, 1001]])
async def test_a_window_reads_the_chunks_of_its_window_only(server, crypto_ids):
    async with new_database(server) as url, Database.connect(url, 2) as database:
        await migrate(database)
        async with database.connection() as connection:
            await connection.execute(_FILL_SPARSELY)
            await connection.execute("ANALYZE")
            plan = await _explained_window(connection, crypto_ids)
            if not await has_timescale(connection):
                _assert_only_by_index(plan, {"candles_1h"})
                return
            (chunk,) = [row["chunk_name"] for row in await connection.fetch(_CHUNKS_OF_WINDOW, *WINDOW_S)]
        _assert_only_by_index(plan, {chunk})

        assert len([chunk async for chunk in compress(database, 1)]) == 3
        async with database.connection() as connection:
            await connection.execute("ANALYZE")
            plan = await _explained_window(connection, crypto_ids)
        _assert_only_by_index(plan, {chunk, f"{chunk}_compressed"})


@timescale_only
async def test_a_correction_of_a_compressed_history_passes_over_it_once(server):
    """After a vacuum compressed chunks count as empty, and a loop over them as cheap: it takes minutes."""
    async with new_database(server) as url, Database.connect(url, 2) as database:
        await migrate(database)
        # Of several cryptos: reading all of a chunk that is not compressed has to cost something.
        for number in range(5):
            await CandleStore(database).write_candles(f"A{number}USDT", False, CANDLES)
        compressed = [chunk async for chunk in compress(database, _days_since_the_last(CANDLES))]
        assert {chunk.table for chunk in compressed} == {"candles_1h", "candles_4h"}
        statements: list[asyncpg.connection.LoggedQuery] = []
        async with database.connection() as connection:
            await connection.execute("VACUUM ANALYZE")
            crypto_id = await connection.fetchval("SELECT min(crypto_id) FROM cryptos")
            with connection.query_logger(statements.append):
                # Of no crypto: a deletion fills the chunks with what it unpacks, and their estimates with it.
                await CandleTable(connection, 0, Interval.HOUR_1).delete(CANDLES.open_time_s)
                # The statistics show a statement some time before the answer of the next.
                await connection.execute("SELECT")
            (deletion,) = [each for each in statements if each.query.startswith("DELETE")]
            _, *times = deletion.args
            plan = await connection.fetch(f"EXPLAIN {deletion.query}", crypto_id, *times)
    assert "Nested Loop" not in "\n".join(line for (line,) in plan)


def _days_since_the_last(candles: Candles) -> int:
    """Return after how many days the chunk of the last candle is not compressed yet."""
    return (int(time.time()) - int(candles.open_time_s[-1])) // 86_400


def _assert_only_by_index(plan: str, tables: set[str]) -> None:
    # The ids that were asked for are a function's rows; a hypertable is scanned in its chunks.
    scanned = set(re.findall(r"(?<!Function Scan)(?<!\(ChunkAppend\)) on (\w+)", plan))
    assert {name for name in scanned if not name.endswith("_pkey")} == tables, plan
    assert "Seq Scan" not in plan, plan
    assert re.search(r"Index Cond: .*crypto_id = (?:1000|asked\.crypto_id)", plan), plan
