"""Compressed chunks take late and corrected candles as others do, and are compressed anew afterwards."""

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.errors import Refused
from backcast_engine.interval import Interval
from services.data.maintenance.columnstore import compress, ensure_policies
from services.data.maintenance.stats import read_stats
from services.data.store.database import Database
from tests.candle_making import random_candles
from tests.data.conftest import history_of, rows, timescale_only
from tests.data.store.test_aggregates import aggregated

HOURS = 24 * 800


def _market_like(candles: Candles) -> Candles:
    return Candles(candles.open_time_s, *(np.round(column, 2) for column in candles.columns()[1:]))


CANDLES = _market_like(random_candles(1, HOURS, 1_600_000_000 // 86_400 * 86_400))


async def _compressed(database: Database) -> list[str]:
    return [chunk.table async for chunk in compress(database, 7)]


async def _holds(database: Database, hourly: Candles) -> None:
    for interval in Interval:
        stored = await history_of(database, "AUSDT", interval)
        assert rows(stored.candles) == aggregated(hourly, interval)


@timescale_only
async def test_compressed_chunks_take_late_and_corrected_candles(database, store):
    late = np.zeros(HOURS, np.bool_)
    late[5000:5100] = late[-48:] = True
    await store.write_candles("AUSDT", False, CANDLES.at(~late))
    # 800 days are in three or four chunks of a year, and in one or two of four years.
    first = await _compressed(database)
    assert {"candles_1h", "candles_4h", "candles_1d"} == set(first)
    await _holds(database, CANDLES.at(~late))

    corrected = CANDLES[4000:4010]
    corrected = Candles(*corrected.columns()[:-1], corrected.volume + 1)
    await store.write_candles("AUSDT", False, corrected)
    await store.write_candles("AUSDT", False, CANDLES[5000:5100])
    await store.write_candles("AUSDT", False, CANDLES[-48:])
    volume = CANDLES.volume.copy()
    volume[4000:4010] += 1
    expected = Candles(*CANDLES.columns()[:-1], volume)
    await _holds(database, expected)

    # Those that got something new, and no others.
    again = await _compressed(database)
    assert 0 < len(again) < len(first)
    await _holds(database, expected)
    assert await _compressed(database) == []


@timescale_only
async def test_a_whole_history_is_corrected_and_its_scale_widened(database, store):
    """More rows than TimescaleDB unpacks in a transaction, unless a setting allows it."""
    hours = 120_000
    candles = _market_like(random_candles(2, hours, 1_300_000_000 // 86_400 * 86_400))
    await store.write_candles("AUSDT", False, candles)
    await _compressed(database)
    corrected = Candles(*candles.columns()[:-1], candles.volume + 1)
    assert (await store.write_candles("AUSDT", False, corrected)).corrected == hours
    await _compressed(database)
    finer = corrected[-1:]
    finer = Candles(*finer.columns()[:-1], np.round(finer.volume + 0.001, 3))
    assert (await store.write_candles("AUSDT", False, finer)).corrected == 1
    await _holds(database, Candles(*corrected.columns()[:-1], np.append(corrected.volume[:-1], finer.volume)))


@timescale_only
async def test_sizes_are_of_what_is_there_now(database, store):
    """TimescaleDB's own statistics stay as they were when a chunk was compressed first."""
    await store.write_candles("AUSDT", False, CANDLES)
    await _compressed(database)
    small = (await read_stats(database)).tables[0]
    assert small.rows == HOURS
    assert small.chunks == small.compressed_chunks
    assert small.saved
    for number in range(9):
        await store.write_candles(
            f"B{number}USDT", False, _market_like(random_candles(number, HOURS, int(CANDLES.open_time_s[0])))
        )
    await _compressed(database)
    large = (await read_stats(database)).tables[0]
    assert large.rows == 10 * HOURS
    assert large.before_bytes == pytest.approx(10 * small.before_bytes, rel=0.001)
    # The rows that moved into the columnstore have left no space behind.
    assert small.compressed_bytes < large.compressed_bytes < 10 * small.compressed_bytes


@timescale_only
async def test_policies_follow_the_setting(database):
    for days in (7, 30, 30):
        await ensure_policies(database, days)
        policies = (await read_stats(database)).policies
        assert [(each.policy, each.table, each.after) for each in policies] == [
            ("compression", table, f"{days} days") for table in ("candles_1h", "candles_4h", "candles_1d")
        ]


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
async def test_plain_postgresql_refuses_to_compress(database):
    with pytest.raises(Refused, match="only TimescaleDB compresses"):
        await _compressed(database)
    await ensure_policies(database, 7)
    assert (await read_stats(database)).policies == []
