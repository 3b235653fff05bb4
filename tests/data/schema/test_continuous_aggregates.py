"""The recipe of docs/database.md for continuous aggregates, verbatim, next to our longer candles."""

import re
import time
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from backcast_engine.candles import Candles
from services.data.maintenance.columnstore import compress, ensure_policies
from services.data.maintenance.retention import apply_retention
from services.data.schema.migrate import migrate
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from tests.candle_making import random_candles
from tests.data.conftest import timescale_only

PAGE = (Path(__file__).parents[3] / "docs" / "database.md").read_text()
_SECTION = PAGE.split("\n## Continuous aggregates of your own\n")[1].split("\n## ")[0]
CREATE, FILL, READ, REMOVE = re.findall(r"```sql\n(.*?)```", _SECTION, re.DOTALL)

HOUR_S, DAY_S = 3600, 86_400
RETENTION_DAYS = 3650
# The policies of the page count from now, so the candles do too.
NOW_S = int(time.time()) // DAY_S * DAY_S
HORIZON_S = (NOW_S - RETENTION_DAYS * DAY_S) // (365 * DAY_S) * 365 * DAY_S
HOURS = 24 * 60


def _decimals(candles: Candles) -> Candles:
    return Candles(candles.open_time_s, *(np.round(column, 2) for column in candles.columns()[1:]))


# Around the hour from which on retention keeps the candles, and until the end of tomorrow: the last half days
# and the last month are not over while the tests run.
OLD = _decimals(random_candles(1, HOURS, HORIZON_S - HOUR_S * HOURS // 2))
RECENT = _decimals(random_candles(2, HOURS, NOW_S + 2 * DAY_S - HOUR_S * HOURS))
# Stored as bits of doubles, and every seventh hour is missing.
NOISY = random_candles(3, HOURS, int(RECENT.open_time_s[0])).at(np.arange(HOURS) % 7 != 0)

_COLUMNS = "symbol, ts, candle_count, open, high, low, close, volume"
_AGGREGATE = f"SELECT {_COLUMNS} FROM charts.{{name}} ORDER BY symbol, ts"
_OURS = """
SELECT symbol, bucket AS ts, sum(stored.candle_count) AS candle_count,
    (array_agg(readable.open ORDER BY ts))[1] AS open, max(readable.high) AS high, min(readable.low) AS low,
    (array_agg(readable.close ORDER BY ts DESC))[1] AS close, sum(readable.volume) AS volume
FROM readable_{table} AS readable
JOIN cryptos USING (symbol)
JOIN {table} AS stored USING (crypto_id, ts)
CROSS JOIN LATERAL (SELECT {bucket}) AS bucketed (bucket)
GROUP BY symbol, bucket ORDER BY symbol, bucket
"""
OURS = {
    "half_days": _OURS.format(
        table="candles_4h", bucket="date_bin('12 hours', ts, TIMESTAMPTZ '2001-01-01 00:00+00')"
    ),
    "months": _OURS.format(table="candles_1d", bucket="date_trunc('month', ts, 'UTC')"),
}

pytestmark = timescale_only


@pytest.fixture
async def database(empty_url: str) -> AsyncIterator[Database]:
    """A database without candles, whose policies run when a test says so."""
    async with Database.connect(empty_url, 3) as database:
        await migrate(database)
        await _run(database, "SELECT _timescaledb_functions.stop_background_workers()")
        yield database


async def _run(database: Database, statements: str) -> None:
    """Run statements as psql does: each by itself."""
    async with database.connection() as connection:
        for statement in statements.strip().removesuffix(";").split(";\n"):
            await connection.execute(statement)


async def _run_policies(database: Database) -> None:
    async with database.connection() as connection:
        jobs = await connection.fetch(
            "SELECT job_id FROM timescaledb_information.jobs "
            "WHERE proc_name = 'policy_refresh_continuous_aggregate' ORDER BY job_id"
        )
        assert len(jobs) == 2
        for (job_id,) in jobs:
            await connection.execute(f"CALL run_job({job_id})")


async def _differing(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the candles of each aggregate that differ from ours, with prices compared to the bit."""
    differing = {}
    async with database.connection() as connection:
        for name, query in OURS.items():
            aggregate = [tuple(row) for row in await connection.fetch(_AGGREGATE.format(name=name))]
            ours = [tuple(row) for row in await connection.fetch(query)]
            assert [row[:2] for row in aggregate] == [row[:2] for row in ours]
            assert len(ours) > 1
            differing[name] = [
                theirs[:2]
                for theirs, own in zip(aggregate, ours, strict=True)
                if theirs[:-1] != own[:-1] or theirs[-1] != pytest.approx(own[-1], rel=1e-12)
            ]
    return differing


EQUAL: dict[str, list[tuple[object, ...]]] = {"half_days": [], "months": []}


async def _import(database: Database, **histories: Candles) -> None:
    for symbol, candles in histories.items():
        await CandleStore(database).write_candles(symbol, False, candles)


async def test_the_aggregates_of_the_page_equal_our_longer_candles(database):
    await _import(database, AUSDT=RECENT, BUSDT=NOISY, BTCUSDT=OLD)
    await _run(database, CREATE + FILL)
    assert await _differing(database) == EQUAL
    async with database.connection() as connection:
        months = await connection.fetch(READ.strip())
    assert months[0]["open"] == OLD.open[0]


async def test_new_hours_are_in_the_answer_at_once(database):
    await _import(database, AUSDT=RECENT[:-24], BUSDT=NOISY[:-24])
    await _run(database, CREATE + FILL)
    await _import(database, AUSDT=RECENT)
    assert await _differing(database) == EQUAL


async def test_corrections_are_in_the_answer_after_the_policies_ran(database):
    await _import(database, AUSDT=RECENT[:-40], BUSDT=NOISY)
    await _run(database, CREATE + FILL)
    wrong = RECENT[500:501]
    # Three decimals: the crypto's scale grows, and all of its ticks.
    corrected = Candles(
        wrong.open_time_s, wrong.open, wrong.high + 0.125, wrong.low, wrong.close, wrong.volume + 1
    )
    await _import(database, AUSDT=corrected)
    stale = await _differing(database)
    assert {name: len(candles) for name, candles in stale.items()} == {"half_days": 1, "months": 1}
    await _run_policies(database)
    assert await _differing(database) == EQUAL


async def test_the_aggregates_keep_what_retention_drops(database):
    await _import(database, AUSDT=OLD, BUSDT=RECENT[:-40])
    await _run(database, CREATE + FILL)
    assert await apply_retention(database, RETENTION_DAYS, NOW_S) == HOURS // 2
    await _import(database, BUSDT=RECENT)
    await _run_policies(database)
    assert await _differing(database) == EQUAL


async def test_a_refresh_that_reaches_back_loses_what_retention_drops(database):
    """So the page says where refreshes have to start."""
    await _import(database, AUSDT=OLD)
    await _run(database, CREATE + FILL)
    await apply_retention(database, RETENTION_DAYS, NOW_S)
    await _run(database, FILL.split("\n\n")[0])
    async with database.connection() as connection:
        first_s = await connection.fetchval(
            "SELECT extract(epoch FROM min(ts))::bigint FROM charts.half_days"
        )
    assert first_s == HORIZON_S


async def test_the_aggregates_follow_corrections_of_compressed_hours(database):
    await ensure_policies(database, 7)
    await _import(database, AUSDT=OLD, BUSDT=RECENT)
    await _run(database, CREATE + FILL)
    # The newest chunk too: it ends within a year.
    assert [chunk async for chunk in compress(database, -366)]
    await _import(database, BUSDT=Candles(*RECENT[:100].columns()[:-1], RECENT[:100].volume + 1))
    await _run_policies(database)
    assert await _differing(database) == EQUAL
    assert [chunk async for chunk in compress(database, -366)]
    assert await _differing(database) == EQUAL


async def test_a_deleted_crypto_leaves_the_aggregates(database):
    await _import(database, AUSDT=RECENT, BUSDT=NOISY)
    await _run(database, CREATE + FILL)
    await CandleStore(database).delete("AUSDT")
    await _run_policies(database)
    assert await _differing(database) == EQUAL


async def test_the_aggregates_are_removed_as_the_page_says(database):
    await _import(database, AUSDT=RECENT[:-40])
    await _run(database, CREATE + FILL)
    await _run(database, REMOVE)
    await _import(database, AUSDT=RECENT)
    async with database.connection() as connection:
        assert await connection.fetch("SELECT FROM timescaledb_information.continuous_aggregates") == []
        assert (
            await connection.fetch(
                "SELECT FROM timescaledb_information.jobs "
                "WHERE proc_name = 'policy_refresh_continuous_aggregate'"
            )
            == []
        )


async def test_migrations_leave_the_aggregates_alone(empty_url):
    """From the first version that stored ticks on, with aggregates that were made then."""
    folder = files("services.data.schema").joinpath("migrations")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    async with Database.connect(empty_url, 3) as database:
        await _run(
            database,
            "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())",
        )
        async with database.connection() as connection:
            for version, name in enumerate(names[:3], 1):
                await connection.execute(folder.joinpath(name).read_text())
                await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", version, name)
            await connection.execute("SELECT _timescaledb_functions.stop_background_workers()")
            await connection.execute(_OLD_CANDLES)
        await _run(database, CREATE + FILL)
        async with database.connection() as connection:
            before = await connection.fetch(_AGGREGATE.format(name="months"))
        await migrate(database)
        async with database.connection() as connection:
            assert await connection.fetch(_AGGREGATE.format(name="months")) == before
        assert [row["close"] for row in before] == [8.43, 11.07]
        # Of a new crypto, as the old one has no longer candles in this test.
        await _import(database, BUSDT=RECENT)
        await _run_policies(database)
        async with database.connection() as connection:
            after = await connection.fetch(_AGGREGATE.format(name="months"))
    assert after[: len(before)] == before
    assert len(after) > len(before)


# 1,008 hours of January and February 2024.
_OLD_CANDLES = """
INSERT INTO cryptos (symbol, price_scale, candle_count, first_ts, last_ts)
VALUES ('AUSDT', 2, 1008, '2024-01-01 00:00+00', '2024-02-11 23:00+00');
INSERT INTO candles_1h
SELECT 1, '2024-01-01 00:00+00'::timestamptz + hour * INTERVAL '1 hour', price, price, price, price, 1
FROM generate_series(0, 1007) AS hour, LATERAL (SELECT 100 + hour) AS priced (price)
"""
