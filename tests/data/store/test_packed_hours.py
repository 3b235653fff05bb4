"""Packed hours are the hourly candles of the rows, whatever happens to these."""

import asyncio
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backcast_engine.breaks import BreakState
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.maintenance.retention import apply_retention
from services.data.schema.migrate import migrate
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.packed_hours import BLOCK_HOURS, packed_ticks_of
from services.data.store.reader import Histories, HistoryQuery
from services.data.store.tables import CandleTable
from services.data.store.writer import CandleStore
from services.domain.conflict_rule import ConflictRule
from tests.candle_making import START_S, random_candles
from tests.data.conftest import (
    bits,
    blocks_of,
    execute,
    history_of,
    listed,
    plain_only,
    timescale_only,
    updates_refused,
)
from tests.data.maintenance.test_retention import DAYS, HORIZON_S, NOW_S

NAMES = ("ts", *VALUE_COLUMNS)
CANDLES = random_candles(1, 2000)
_TIMES_S, *_VALUES = CANDLES.columns()
SMALL = Candles(_TIMES_S, *(np.round(column, 2) for column in _VALUES))
# Prices of two decimals, which fit into four bytes; of eight decimals, which do not; and numbers that are no
# decimals, or too large to be ticks.
_DECIMALS = (2, 8, None)

_numbers = count()


async def _rows(database: Database, symbol: str) -> dict[str, list[int]]:
    """Return the candles of the table of rows."""
    async with database.connection() as connection:
        crypto_id = await _id(database, symbol)
        ticks = await CandleTable(connection, crypto_id, Interval.HOUR_1).ticks(NAMES)
    return {name: column.tolist() for name, column in zip(NAMES, ticks, strict=True)}


async def _packed(
    database: Database, symbol: str, start_s: int = EARLIEST_S, end_s: int = LATEST_S
) -> dict[str, list[int]]:
    """Return the candles of the blocks."""
    async with database.connection() as connection:
        crypto_id = await _id(database, symbol)
        found = await packed_ticks_of(connection, [crypto_id], VALUE_COLUMNS, start_s, end_s)
    return {name: column.tolist() for name, column in zip(NAMES, found[crypto_id], strict=True)}


async def _id(database: Database, symbol: str) -> int:
    return await CryptoStore(database).id(symbol)


async def _is_packed(database: Database, symbol: str) -> bool:
    async with database.connection() as connection:
        return bool(await connection.fetchval("SELECT is_packed FROM cryptos WHERE symbol = $1", symbol))


async def _is_true(database: Database, symbol: str) -> None:
    assert await _is_packed(database, symbol)
    assert await _packed(database, symbol) == await _rows(database, symbol)


def _made(seed: int, start: int, length: int, decimals: int | None, gaps: float, factor: float) -> Candles:
    """Return candles with gaps from an hour on, around the time before which retention drops."""
    whole = random_candles(seed, length, HORIZON_S + 3600 * start)
    time_s, *values = whole.at(np.random.default_rng(seed).random(length) >= gaps).columns()
    if decimals is None:
        return Candles(time_s, *(factor * column for column in values))
    return Candles(time_s, *(np.round(column, decimals) for column in values))


_imports = st.builds(
    _made,
    seed=st.integers(0, 5),
    start=st.integers(-3 * BLOCK_HOURS, BLOCK_HOURS) | st.integers(0, 3),
    length=st.integers(1, 2 * BLOCK_HOURS) | st.integers(1, 3),
    decimals=st.sampled_from(_DECIMALS),
    gaps=st.sampled_from((0.0, 0.0, 0.3, 0.99)),
    factor=st.sampled_from((1e-9, 1.0, 1e300)),
)
_steps = st.lists(
    st.tuples(_imports, st.sampled_from((ConflictRule.REPLACE, ConflictRule.KEEP)))
    | st.sampled_from(("retention", "delete", "older version", "break")),
    min_size=1,
    max_size=6,
)


# An example is a history of imports, each of which takes tens of milliseconds.
@plain_only
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_steps)
async def test_blocks_equal_the_rows_after_whatever_happens(module_database, steps):
    store = CandleStore(module_database)
    cryptos = CryptoStore(module_database)
    symbol = f"P{next(_numbers)}USDT"
    await store.write_candles(symbol, False, random_candles(9, 3, HORIZON_S + 3600))
    for step in steps:
        if step == "retention":
            await apply_retention(module_database, DAYS, NOW_S)
        elif step == "delete":
            await store.delete(symbol)
            await store.write_candles(symbol, False, random_candles(8, 3, HORIZON_S + 3600))
        elif step == "older version":
            await _corrected_by_an_older_version(module_database, symbol)
            await migrate(module_database)
        elif step == "break":
            after_s = (await _rows(module_database, symbol))["ts"][1]
            await BreakStore(module_database, cryptos).update(symbol, after_s, BreakState.CONFIRMED)
        else:
            candles, rule = step
            if len(candles):
                await store.write_candles(symbol, False, candles, rule)
        await _is_true(module_database, symbol)


async def _corrected_by_an_older_version(database: Database, symbol: str) -> None:
    """Do what an import of a version without blocks does, as one that still runs during an upgrade."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute(
            "UPDATE candles_1h AS candle SET volume = volume + 1 FROM cryptos "
            "WHERE candle.crypto_id = cryptos.crypto_id AND symbol = $1 AND ts = first_ts AND volume >= 0",
            symbol,
        )
        await connection.execute(
            "UPDATE cryptos SET fingerprint = gen_random_uuid() WHERE symbol = $1", symbol
        )


@plain_only
@pytest.mark.parametrize(
    ("start", "end"), [(0, 2000), (1, 1999), (875, 876), (876, 1752), (900, 901), (-9, 2100), (2000, 2100)]
)
async def test_a_window_of_blocks_has_the_candles_of_the_window(store, database, start, end):
    first_s = START_S // (3600 * BLOCK_HOURS) * 3600 * BLOCK_HOURS
    candles = random_candles(1, 2000, first_s)
    gaps = candles.at(np.arange(2000) % 7 != 3)
    for symbol, stored in {"AUSDT": candles, "BUSDT": gaps}.items():
        await store.write_candles(symbol, False, stored)
        start_s, end_s = first_s + 3600 * start, first_s + 3600 * end
        window = await _packed(database, symbol, start_s, end_s)
        inside = (stored.open_time_s >= start_s) & (stored.open_time_s < end_s)
        assert window["ts"] == stored.open_time_s[inside].tolist()
        rows = await _rows(database, symbol)
        assert window["close"] == np.array(rows["close"])[inside].tolist()


@plain_only
async def test_an_hour_more_changes_one_block_of_each_column(store, database):
    await store.write_candles("AUSDT", False, CANDLES[:-1])
    before = await _versions(database)
    await store.write_candles("AUSDT", False, CANDLES[-1:])
    after = await _versions(database)
    assert len(before.items() ^ after.items()) == 2 * len(VALUE_COLUMNS)
    await _is_true(database, "AUSDT")


async def _versions(database: Database) -> dict[tuple[str, int], int]:
    """Return of each block the transaction that wrote it."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT column_name, ts, xmin::text FROM packed_hours")
    return {(name, ts): version for name, ts, version in rows}


@plain_only
async def test_finer_prices_may_come_after_retention_has_dropped_all_hours(store, database):
    time_s, *values = SMALL[:100].columns()
    old = Candles(time_s - START_S + HORIZON_S - 360_000, *values)
    await store.write_candles("AUSDT", False, old)
    assert await apply_retention(database, DAYS, NOW_S) == 100
    assert await _packed(database, "AUSDT") == {name: [] for name in NAMES}
    await store.write_candles("AUSDT", False, CANDLES)
    await _is_true(database, "AUSDT")


@plain_only
async def test_small_ticks_take_four_bytes_and_large_ones_eight(store, database):
    await store.write_candles("AUSDT", False, SMALL)
    assert await _sizes(database) == {4 * BLOCK_HOURS}
    await store.write_candles("AUSDT", False, CANDLES)
    assert await _sizes(database) == {8 * BLOCK_HOURS}
    await _is_true(database, "AUSDT")


async def _sizes(database: Database) -> set[int]:
    async with database.connection() as connection:
        return {row[0] for row in await connection.fetch("SELECT length(ticks) FROM packed_hours")}


@plain_only
async def test_readers_read_no_row_of_a_packed_history(store, database):
    await store.write_candles("AUSDT", False, CANDLES)
    await execute_on(database, "DELETE FROM candles_1h")
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES)


@plain_only
@pytest.mark.parametrize("added", [1, 24, 25, 48])
@pytest.mark.parametrize("gap", [False, True])
async def test_the_last_hours_are_the_same_from_rows_and_from_blocks(store, database, added, gap):
    """Up to 24 hours come from rows: without blocks, they are still there; more come from blocks."""
    known, later = CANDLES[:-48], CANDLES[len(CANDLES) - 48 :][:added]
    if gap:
        later = later.at(np.arange(added) % 7 != 2)
    await store.write_candles("AUSDT", False, known)
    fingerprint = (await history_of(database, "AUSDT")).fingerprint
    await store.write_candles("AUSDT", False, later)
    await execute_on(database, "DELETE FROM " + ("packed_hours" if added <= 24 else "candles_1h"))
    histories = Histories(database, CryptoStore(database))
    ((history,),) = [
        group async for group in histories.read(["AUSDT"], HistoryQuery(Interval.HOUR_1), [fingerprint])
    ]
    assert history.unchanged_before_s == later.open_time_s[0]
    assert bits(Candles(history.open_time_s, **history.columns)) == bits(later)


async def execute_on(database: Database, statement: str) -> None:
    async with database.connection() as connection:
        await connection.execute(statement)


@plain_only
async def test_readers_read_the_rows_that_an_older_version_has_changed(store, database):
    await store.write_candles("AUSDT", False, SMALL[:-1])
    await _corrected_by_an_older_version(database, "AUSDT")
    assert not await _is_packed(database, "AUSDT")
    assert await _packed(database, "AUSDT") != await _rows(database, "AUSDT")
    candles = (await history_of(database, "AUSDT")).candles
    assert candles.volume[0] > SMALL.volume[0]
    assert candles.close.tolist() == SMALL.close[:-1].tolist()
    # The next import of this version packs everything.
    await store.write_candles("AUSDT", False, SMALL[-1:])
    await _is_true(database, "AUSDT")


@plain_only
async def test_a_reader_sees_blocks_and_fingerprint_of_one_import(store, cryptos, database):
    """Each version differs in every candle, so that a block of another one would show."""
    versions = [random_candles(seed, 2 * BLOCK_HOURS) for seed in range(12)]
    await store.write("AUSDT", False, blocks_of(versions[0]))
    seen = []
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            seen.append(await history_of(database, "AUSDT"))

    readers = [asyncio.create_task(read()) for _ in range(2)]
    written = {(await listed(cryptos))["AUSDT"].fingerprint: versions[0]}
    for version in versions:
        await store.write("AUSDT", False, blocks_of(version))
        written[(await listed(cryptos))["AUSDT"].fingerprint] = version
    done.set()
    await asyncio.gather(*readers)
    for history in seen:
        assert bits(history.candles) == bits(written[history.fingerprint])


async def _unpacked_database(url: str) -> None:
    """Leave a database as a version without packed hours left it."""
    async with Database.connect(url, 2) as database:
        await migrate(database)
        for seed, symbol in enumerate(("AUSDT", "BUSDT", "CUSDT")):
            await CandleStore(database).write_candles(symbol, False, random_candles(seed, 2000))
    await execute(
        url,
        "DROP TABLE packed_hours; ALTER TABLE cryptos DROP COLUMN is_packed, DROP COLUMN packed_fingerprint; "
        "DELETE FROM schema_migrations WHERE version = 6; INSERT INTO cryptos (symbol) VALUES ('NONEUSDT')",
    )


@plain_only
async def test_what_an_older_version_stored_is_packed_at_the_start(empty_url):
    await _unpacked_database(empty_url)
    async with Database.connect(empty_url, 2) as database:
        cryptos = CryptoStore(database)
        before = await listed(cryptos)
        await migrate(database)
        for symbol in before:
            await _is_true(database, symbol)
        # The candles are the same: whoever has them does not fetch them again.
        assert await listed(cryptos) == before
        versions = await _versions(database)
        await migrate(database)
        assert await _versions(database) == versions


@plain_only
async def test_packing_that_was_broken_off_goes_on_at_the_next_start(empty_url):
    await _unpacked_database(empty_url)
    # The migration's own update of the table comes before the trigger.
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        for symbol in ("BUSDT", "CUSDT"):
            await execute_on(
                database, f"UPDATE cryptos SET packed_fingerprint = NULL WHERE symbol = '{symbol}'"
            )
        await execute_on(database, "DELETE FROM packed_hours WHERE crypto_id <> 1")
    async with updates_refused(empty_url, "NEW.symbol = 'CUSDT'"):
        with pytest.raises(Exception, match="starting or stopping"):
            async with Database.connect(empty_url, 2) as database:
                await migrate(database)
    async with Database.connect(empty_url, 2) as database:
        packed = {symbol: await _is_packed(database, symbol) for symbol in ("AUSDT", "BUSDT", "CUSDT")}
        assert packed == {"AUSDT": True, "BUSDT": True, "CUSDT": False}
        assert (await history_of(database, "CUSDT")).candles.close.tolist() == (
            random_candles(2, 2000).close.tolist()
        )
        await migrate(database)
        for symbol in ("AUSDT", "BUSDT", "CUSDT"):
            await _is_true(database, symbol)


@timescale_only
async def test_timescaledb_packs_hours_itself(store, cryptos, database):
    await store.write_candles("AUSDT", False, SMALL[:-1])
    await store.write_candles("AUSDT", False, SMALL[-1:])
    await migrate(database)
    async with database.connection() as connection:
        assert not await connection.fetchval("SELECT EXISTS (SELECT FROM packed_hours)")
    assert not await _is_packed(database, "AUSDT")
    assert bits((await history_of(database, "AUSDT")).candles) == bits(SMALL)
