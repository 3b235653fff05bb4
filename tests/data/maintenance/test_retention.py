"""Retention drops old hours by whole chunks; what they made stays, whatever is imported afterwards."""

import asyncio

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.data.maintenance.retention import apply_retention
from services.data.store.database import Database
from services.data.store.reader import Histories, HistoryQuery
from services.data.store.writer import CandleStore, ImportCounts
from tests.candle_making import random_candles
from tests.data.conftest import history_of, listed, rows
from tests.data.store.test_aggregates import aggregated
from tests.waiting import LIMIT_S

DAY_S = 86_400
# The chunks are of 365 days, counted from 1970; this is 2014-12-21.
HORIZON_S = 45 * 365 * DAY_S
DAYS = 3650
# Some days later nothing more is dropped: the next chunk is not old yet.
NOW_S = HORIZON_S + (DAYS + 5) * DAY_S
OLD_HOURS = 24 * 30

_TIMES_S, *_VALUES = random_candles(1, 2 * OLD_HOURS, HORIZON_S - 3600 * OLD_HOURS).columns()
CANDLES = Candles(_TIMES_S, *(np.round(column, 2) for column in _VALUES))


async def _aggregates_are_of(database: Database, symbol: str, hourly: Candles) -> None:
    for interval in list(Interval)[1:]:
        assert rows((await history_of(database, symbol, interval)).candles) == aggregated(hourly, interval)


async def test_old_hours_go_and_what_they_made_stays(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    before = (await listed(cryptos))["AUSDT"]
    assert await apply_retention(database, DAYS, NOW_S) == OLD_HOURS

    after = (await listed(cryptos))["AUSDT"]
    assert (after.candle_count, after.first_candle_s) == (OLD_HOURS, HORIZON_S)
    assert after.last_candle_s == before.last_candle_s
    assert after.fingerprint != before.fingerprint
    assert rows((await history_of(database, "AUSDT")).candles) == rows(CANDLES[OLD_HOURS:])
    await _aggregates_are_of(database, "AUSDT", CANDLES)
    for interval in Interval:
        query = HistoryQuery(interval, start_s=HORIZON_S)
        later = await Histories(database, cryptos).one("AUSDT", query)
        assert later.has_earlier == (interval is not Interval.HOUR_1)
    # There is nothing left to drop.
    assert await apply_retention(database, DAYS, NOW_S) == 0
    assert (await listed(cryptos))["AUSDT"] == after


@pytest.mark.parametrize(
    ("days", "now_s"),
    [
        (0, NOW_S),
        # The chunk has not ended long enough ago.
        (DAYS, HORIZON_S + DAYS * DAY_S - 1),
    ],
)
async def test_what_is_not_old_enough_stays(database, store, days, now_s):
    await store.write_candles("AUSDT", False, CANDLES)
    assert await apply_retention(database, days, now_s) == 0
    assert rows((await history_of(database, "AUSDT")).candles) == rows(CANDLES)


async def test_late_hours_do_not_damage_what_more_hours_made(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    await apply_retention(database, DAYS, NOW_S)
    late = CANDLES[100:110]
    wrong = Candles(*late.columns()[:-1], late.volume + 1)
    assert await store.write_candles("AUSDT", False, wrong) == ImportCounts(10, 0, 0)

    crypto = (await listed(cryptos))["AUSDT"]
    assert (crypto.candle_count, crypto.first_candle_s) == (OLD_HOURS + 10, int(late.open_time_s[0]))
    assert rows((await history_of(database, "AUSDT")).candles) == rows(wrong) + rows(CANDLES[OLD_HOURS:])
    days = (await history_of(database, "AUSDT", Interval.DAY_1)).candles
    assert rows(days) == aggregated(CANDLES, Interval.DAY_1)
    # All hours of a day are as good as those that it was made of.
    corrected = Candles(*CANDLES.columns()[:-1], CANDLES.volume + 1)
    await store.write_candles("AUSDT", False, corrected)
    await _aggregates_are_of(database, "AUSDT", corrected)


async def test_a_crypto_whose_hours_all_went_keeps_its_aggregates(database, store, cryptos):
    old = CANDLES[:OLD_HOURS]
    await store.write_candles("OLDUSDT", False, old)
    await store.write_candles("NEWUSDT", False, CANDLES[OLD_HOURS:])
    new = (await listed(cryptos))["NEWUSDT"]
    assert await apply_retention(database, DAYS, NOW_S) == OLD_HOURS

    # Nothing of the other one has changed.
    assert await listed(cryptos) == {"NEWUSDT": new}
    assert rows((await history_of(database, "OLDUSDT")).candles) == []
    await _aggregates_are_of(database, "OLDUSDT", old)
    await store.write_candles("OLDUSDT", False, CANDLES[OLD_HOURS:])
    crypto = (await listed(cryptos))["OLDUSDT"]
    assert (crypto.candle_count, crypto.first_candle_s) == (OLD_HOURS, HORIZON_S)


async def test_an_import_waits_for_retention(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES[:-24])
    async with database.connection() as connection:

        async def until_waiting(count: int) -> None:
            async with asyncio.timeout(LIMIT_S):
                while await connection.fetchval(_WAITING) < count:
                    pass

        transaction = connection.transaction()
        await transaction.start()
        # Retention comes as far as its note of what has changed.
        await connection.execute("LOCK TABLE candle_changes IN EXCLUSIVE MODE")
        retention = asyncio.create_task(apply_retention(database, DAYS, NOW_S))
        await until_waiting(1)
        late = asyncio.create_task(
            CandleStore(database).write_candles(
                "AUSDT", False, Candles.concatenate([CANDLES[:5], CANDLES[-24:]])
            )
        )
        await until_waiting(2)
        await transaction.rollback()
    assert await retention == OLD_HOURS
    # The five were dropped before the import saw them.
    assert await late == ImportCounts(29, 0, 0)
    assert (await listed(cryptos))["AUSDT"].candle_count == OLD_HOURS + 5
    assert rows((await history_of(database, "AUSDT")).candles) == rows(
        Candles.concatenate([CANDLES[:5], CANDLES[OLD_HOURS:]])
    )
    await _aggregates_are_of(database, "AUSDT", CANDLES)


_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE datname = current_database() AND NOT granted
"""
