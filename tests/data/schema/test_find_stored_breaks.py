"""Databases of the version that knew no breaks: they are found in what is stored, and readers get them."""

from collections.abc import AsyncIterator

import pytest

from backcast_engine.interval import Interval
from services.data.schema.migrate import migrate
from services.data.store.break_edits import BreakStore
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.reader import Histories, HistoryQuery
from services.data.store.writer import CandleStore
from tests.candle_making import random_candles
from tests.data.conftest import execute, history_of, listed, updates_refused
from tests.data.store.test_breaks import DETECTED, at, flat, places, stretch
from tests.data.store.test_fingerprint_before import fingerprint_before

RELISTED = flat(stretch(0, 100, 5.0) | stretch(1000, 1100, 0.0001))
SPLIT = flat(
    stretch(0, 500, 5.0) | stretch(500, 950, 5000.0) | stretch(950, 953, 7.0) | stretch(953, 960, 5000.0)
)
CLEAN = random_candles(1, 24 * 30 + 5)


@pytest.fixture
async def old_url(empty_url: str) -> AsyncIterator[str]:
    """The URL of a database as that version left it."""
    async with Database.connect(empty_url, 2) as database:
        await migrate(database)
        store = CandleStore(database)
        for symbol, candles in (("AUSDT", RELISTED), ("BUSDT", SPLIT), ("CUSDT", CLEAN)):
            await store.write_candles(symbol, False, candles)
    await execute(
        empty_url,
        "DROP TABLE breaks; DROP INDEX candles_4h_partial, candles_1d_partial, candles_1w_partial; "
        "ALTER TABLE cryptos DROP COLUMN breaks_found; "
        "DROP TABLE packed_hours; ALTER TABLE cryptos DROP COLUMN is_packed, DROP COLUMN packed_fingerprint; "
        "DELETE FROM schema_migrations WHERE version IN (5, 6); "
        "INSERT INTO cryptos (symbol) VALUES ('NONEUSDT')",
    )
    yield empty_url


async def _found(database: Database) -> dict[str, list[tuple[int, int]]]:
    breaks = BreakStore(database, CryptoStore(database))
    found = {}
    for symbol in ("AUSDT", "BUSDT", "CUSDT", "NONEUSDT"):
        of_symbol = await places(breaks, symbol)
        assert all(state is DETECTED for *_, state in of_symbol)
        found[symbol] = [(before, after) for before, after, _ in of_symbol]
    return found


EXPECTED = {"AUSDT": [(99, 1000)], "BUSDT": [(499, 500)], "CUSDT": [], "NONEUSDT": []}


async def test_breaks_are_found_in_what_is_stored_and_readers_get_them(old_url):
    async with Database.connect(old_url, 2) as database:
        async with database.connection() as connection:
            rows = await connection.fetch("SELECT symbol, fingerprint::text FROM cryptos")
        before = dict(tuple(row) for row in rows)
        await migrate(database)
        assert await _found(database) == EXPECTED
        cryptos = CryptoStore(database)
        after = await listed(cryptos)
        assert all(after[symbol].fingerprint != before[symbol] for symbol in after)
        # What lies before the first break, and before the last week, is as it was.
        for symbol, first, last in (("AUSDT", 1000, 1100), ("BUSDT", 500, 600), ("CUSDT", 672, 720)):
            assert await fingerprint_before(cryptos, symbol, at(first)) == before[symbol]
            assert await fingerprint_before(cryptos, symbol, at(last)) != before[symbol]
        # A reader that has the last day, which is not over, from the older version, loses it.
        query = HistoryQuery(Interval.DAY_1)
        histories = Histories(database, cryptos)
        ((history,),) = [group async for group in histories.read(["CUSDT"], query, [before["CUSDT"]])]
        assert history.unchanged_before_s is not None
        assert history.unchanged_before_s <= Interval.DAY_1.opening(int(CLEAN.open_time_s[-1]))
        # Done once, it is not done again.
        await migrate(database)
        assert await listed(cryptos) == after
        assert len((await history_of(database, "CUSDT")).candles) == len(CLEAN)


async def test_a_search_that_was_broken_off_is_gone_on_with(old_url):
    async with Database.connect(old_url, 2) as database:
        await migrate(database)
    # As if it had been killed after the first crypto.
    await execute(
        old_url,
        "UPDATE cryptos SET breaks_found = symbol = 'AUSDT'; DELETE FROM breaks",
    )
    async with Database.connect(old_url, 2) as database:
        before = await listed(CryptoStore(database))
        await migrate(database)
        # The first one was done: it is not looked at again.
        assert await _found(database) == EXPECTED | {"AUSDT": []}
        after = await listed(CryptoStore(database))
        assert [before[symbol] == after[symbol] for symbol in after] == [True, False, False]


async def test_a_search_that_cannot_be_finished_leaves_its_crypto_for_the_next_time(old_url):
    async with updates_refused(old_url, "NEW.symbol = 'BUSDT'"):
        with pytest.raises(Exception, match="starting or stopping"):
            async with Database.connect(old_url, 2) as database:
                await migrate(database)
    async with Database.connect(old_url, 2) as database:
        await migrate(database)
        assert await _found(database) == EXPECTED
