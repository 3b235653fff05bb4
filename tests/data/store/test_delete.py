"""A deleted crypto is gone from every table, whoever imports or reads it meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from backcast_engine.breaks import BreakState
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.data.maintenance.columnstore import compress
from services.data.maintenance.retention import apply_retention
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database, has_timescale
from services.data.store.reader import CryptoHistory, Histories, HistoryQuery
from services.data.store.tables import CANDLE_TABLES
from services.data.store.writer import CandleStore, ImportCounts
from tests.candle_making import random_candles
from tests.data.conftest import bits, history_of, listed, until_waiting
from tests.data.maintenance.test_retention import CANDLES as OLD_CANDLES
from tests.data.maintenance.test_retention import DAYS, NOW_S
from tests.data.store.test_breaks import flat, stretch

TABLES = (*CANDLE_TABLES.values(), "packed_hours", "candle_changes", "breaks")
CANDLES = random_candles(1, 2000)


async def left(database: Database) -> dict[str, int]:
    """How many rows of no crypto that there is each table has."""
    async with database.connection() as connection:
        return {
            table: await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE crypto_id NOT IN (SELECT crypto_id FROM cryptos)"
            )
            for table in TABLES
        }


NOTHING = dict.fromkeys(TABLES, 0)


async def test_everything_of_a_deleted_crypto_goes_and_nothing_else(store, cryptos, database):
    candles = flat(stretch(0, 100, 5.0) | stretch(100, 900, 5000.0))
    for symbol in ("AUSDT", "BUSDT"):
        await store.write_candles(symbol, False, candles)
    before = await listed(cryptos)
    assert await store.delete("AUSDT") == before["AUSDT"]
    assert await left(database) == NOTHING
    assert await listed(cryptos) == {"BUSDT": before["BUSDT"]}
    assert bits((await history_of(database, "BUSDT")).candles) == bits(candles)
    assert len(await BreakStore(database, cryptos).of("BUSDT")) == 1
    for reading in (
        history_of(database, "AUSDT"),
        store.delete("AUSDT"),
        store.delete("A\0"),
        BreakStore(database, cryptos).of("AUSDT"),
    ):
        with pytest.raises(InvalidInput, match="symbol: there is no crypto"):
            await reading


async def test_compressed_candles_go_too(store, database):
    async with database.connection() as connection:
        if not await has_timescale(connection):
            pytest.skip("NO TIMESCALEDB: plain PostgreSQL compresses nothing")
    await store.write_candles("AUSDT", False, CANDLES)
    await store.write_candles("BUSDT", False, CANDLES)
    assert [chunk async for chunk in compress(database, 0)]
    await store.delete("AUSDT")
    assert await left(database) == NOTHING
    assert bits((await history_of(database, "BUSDT")).candles) == bits(CANDLES)


async def test_a_crypto_whose_hours_retention_dropped_can_be_deleted(store, cryptos, database):
    await store.write_candles("OLDUSDT", False, OLD_CANDLES[:100])
    await apply_retention(database, DAYS, NOW_S)
    assert await listed(cryptos) == {}
    deleted = await store.delete("OLDUSDT")
    assert (deleted.candle_count, deleted.first_candle_s) == (0, None)
    assert await left(database) == NOTHING


async def test_a_crypto_that_is_imported_again_is_another_one(store, cryptos, database):
    await store.write_candles("AUSDT", False, CANDLES)
    before = (await listed(cryptos))["AUSDT"].fingerprint
    await store.delete("AUSDT")
    await store.write_candles("AUSDT", False, CANDLES)
    assert (await listed(cryptos))["AUSDT"].fingerprint != before
    # Who has its old candles gets all of the new ones.
    histories = Histories(database, cryptos)
    ((history,),) = [
        group async for group in histories.read(["AUSDT"], HistoryQuery(Interval.HOUR_1), [before])
    ]
    assert history.unchanged_before_s is None
    assert len(history.open_time_s) == len(CANDLES)


async def test_deletion_goes_along_with_imports_breaks_and_retention(store, cryptos, database):
    """Each import comes before, or makes a new crypto: it never adds to one that is half gone."""
    # A store of its own each, as services on different machines have.
    stores = [CandleStore(database) for _ in range(3)]
    breaks = BreakStore(database, cryptos)
    split = flat(stretch(0, 300, 5.0) | stretch(300, 700, 5000.0))

    async def imported(each: CandleStore) -> None:
        for first in range(0, 700, 50):
            counts = await each.write_candles("AUSDT", False, split[first : first + 50])
            assert counts.inserted + counts.unchanged == 50

    async def deleted() -> None:
        for _ in range(30):
            try:
                await store.delete("AUSDT")
            except InvalidInput:
                await asyncio.sleep(0)
            try:
                await breaks.update("AUSDT", int(split.open_time_s[300]), BreakState.CONFIRMED)
            except InvalidInput:
                await asyncio.sleep(0)

    async def retained() -> None:
        for _ in range(10):
            await apply_retention(database, DAYS, NOW_S)

    await asyncio.gather(*map(imported, stores), deleted(), retained())
    assert await left(database) == NOTHING
    for symbol, crypto in (await listed(cryptos)).items():
        stored = (await history_of(database, symbol)).candles
        assert len(stored) == crypto.candle_count
    await store.write_candles("AUSDT", False, split)
    assert bits((await history_of(database, "AUSDT")).candles) == bits(split)


async def test_an_import_waits_and_makes_a_new_crypto(store, cryptos, database):
    await store.write_candles("AUSDT", False, CANDLES[:100])
    other = CandleStore(database)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM cryptos WHERE symbol = 'AUSDT' FOR UPDATE")
        # Both wait for the row, first who deletes.
        deleting = asyncio.create_task(store.delete("AUSDT"))
        await until_waiting(database, 1)
        importing = asyncio.create_task(other.write_candles("AUSDT", False, CANDLES[50:150]))
        await until_waiting(database, 2)
        await transaction.commit()
    assert (await deleting).candle_count == 100
    assert await importing == ImportCounts(100, 0, 0)
    assert await left(database) == NOTHING
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES[50:150])


async def test_a_reader_of_many_gets_no_candle_of_a_deleted_crypto(store, cryptos, database):
    """The others come whole; a run of them all does not end for the one."""
    symbols = [f"C{number}USDT" for number in range(10)]
    for symbol in symbols:
        await store.write_candles(symbol, False, CANDLES)
    histories = Histories(database, cryptos)
    read: list[CryptoHistory] = []
    async with aclosing(histories.read(symbols, HistoryQuery(Interval.HOUR_1), [""] * 10)) as reading:
        async for group in reading:
            if not read:
                await store.delete("C9USDT")
            read += group
    assert [history.symbol for history in read] == symbols
    assert [len(history.open_time_s) for history in read[:-1]] == [len(CANDLES)] * 9
    last = read[-1]
    assert (len(last.open_time_s), last.unchanged_before_s) in ((0, None), (len(CANDLES), None))
    (gone,) = [each async for each in _read_ids(database, cryptos, store)]
    assert gone.open_time_s.tolist() == []
    assert gone.fingerprint not in {history.fingerprint for history in read}


async def _read_ids(
    database: Database, cryptos: CryptoStore, store: CandleStore
) -> AsyncIterator[CryptoHistory]:
    """Read a crypto that is deleted between the look for its key and the reading of its candles."""

    class Deleting(CryptoStore):
        async def stored(self, symbols):
            found = await super().stored(symbols)
            await store.delete("C0USDT")
            return found

    async with aclosing(
        Histories(database, Deleting(database)).read(["C0USDT"], HistoryQuery(Interval.DAY_1), [""])
    ) as reading:
        async for group in reading:
            for history in group:
                yield history
