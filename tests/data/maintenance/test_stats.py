"""`backcast db stats` shows what is in the tables."""

from datetime import UTC, datetime

import numpy as np

from services.data.maintenance.retention import TASK, apply_retention
from services.data.maintenance.stats import read_stats
from services.data.store.database import has_timescale
from tests.candle_making import START_S, random_candles

HOURS = 24 * 28


async def test_stats_of_an_empty_database_are_zeros(database):
    stats = await read_stats(database)
    assert (stats.cryptos, stats.candles, stats.first, stats.last) == (0, 0, None, None)
    assert [(table.interval, table.rows, table.saved) for table in stats.tables] == [
        (interval, 0, None) for interval in ("1h", "4h", "1d", "1w")
    ]
    assert [(each.newest, each.behind) for each in stats.aggregates] == [(None, 0)] * 3


async def test_stats_of_a_market_count_its_rows(database, store):
    await store.write_candles("AUSDT", False, random_candles(1, HOURS))
    gaps = np.ones(HOURS, np.bool_)
    gaps[30:60] = False
    await store.write_candles("BUSDT", True, random_candles(2, HOURS).at(gaps))
    stats = await read_stats(database)
    async with database.connection() as connection:
        assert (stats.timescale is not None) == await has_timescale(connection)
        counted = [
            await connection.fetchval(f"SELECT count(*) FROM candles_{interval}")
            for interval in ("1h", "4h", "1d", "1w")
        ]
    assert (stats.cryptos, stats.candles) == (2, 2 * HOURS - 30)
    assert stats.first == datetime.fromtimestamp(START_S, UTC)
    assert stats.last == datetime.fromtimestamp(START_S + 3600 * (HOURS - 1), UTC)
    assert [table.rows for table in stats.tables] == counted
    if stats.timescale:
        assert stats.packed_cryptos == 0
    else:
        assert stats.packed_cryptos == 2
        # Two cryptos × five columns, of one or two blocks each.
        assert 10 * 4 * 876 < stats.packed_bytes < 10 * 4 * 8192
        async with database.connection() as connection:
            await connection.execute("UPDATE cryptos SET packed_fingerprint = NULL WHERE symbol = 'AUSDT'")
        assert (await read_stats(database)).packed_cryptos == 1
    assert [each.candles for each in stats.aggregates] == counted[1:]
    assert all(table.plain_bytes > 50 * table.rows for table in stats.tables)
    assert [each.newest.isoformat() for each in stats.aggregates] == [
        "2024-01-28T20:00:00+00:00",
        "2024-01-28T00:00:00+00:00",
        "2024-01-22T00:00:00+00:00",
    ]
    assert [each.behind for each in stats.aggregates] == [0, 0, 0]


async def test_aggregates_that_are_behind_show(database, store):
    await store.write_candles("AUSDT", False, random_candles(1, HOURS))
    await store.write_candles("BUSDT", False, random_candles(2, HOURS))
    async with database.connection() as connection:
        await connection.execute("DELETE FROM candles_4h WHERE ts >= '2024-01-28 20:00+00'")
        await connection.execute("DELETE FROM candles_1w")
    assert [each.behind for each in (await read_stats(database)).aggregates] == [2, 0, 2]


async def test_tasks_report_what_they_did(database, store):
    await store.write_candles("AUSDT", False, random_candles(1, HOURS))
    await apply_retention(database, 365, START_S + 3650 * 86_400)
    tasks = {task.task: task.outcome for task in (await read_stats(database)).tasks}
    assert tasks[TASK] == f"dropped {HOURS:,} hourly candles"
