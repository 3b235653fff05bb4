"""The candles before a time have a fingerprint of their own, which changes exactly when they do."""

from importlib.resources import files
from itertools import count

import asyncpg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.data.maintenance.retention import apply_retention
from services.data.schema.migrate import migrate
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from tests.candle_making import START_S, random_candles
from tests.data.conftest import bits, history_of

HOUR_S = 3600
HOURS = 24 * 20
CANDLES = random_candles(1, HOURS)
# Cheap to correct: from the first hours, from amid, and what is yet to come.
PARTS = [START_S + HOUR_S * hours for hours in (-5, 0, 1, 100, 101, 240, HOURS - 1, HOURS, HOURS + 50)]

_numbers = count()


def corrected(first: int, last: int | None = None, by: float = 1.0) -> Candles:
    """Return the candles of some hours with other volumes."""
    some = CANDLES[first : first + 1 if last is None else last]
    return Candles(*some.columns()[:-1], some.volume + by)


async def fingerprint_before(cryptos: CryptoStore, symbol: str, before_s: int) -> str:
    (crypto,) = (await cryptos.page([symbol], "", 1, before_s)).cryptos
    assert crypto.fingerprint_before
    return crypto.fingerprint_before


async def test_appending_leaves_the_part_before(store, cryptos):
    before_s = START_S + 300 * HOUR_S
    await store.write_candles("AUSDT", False, CANDLES[:300])
    # All of it is before: it is the whole data's.
    (crypto,) = (await cryptos.page(["AUSDT"], "", 1, before_s)).cryptos
    assert crypto.fingerprint_before == crypto.fingerprint
    for hour in range(300, 310):
        await store.write_candles("AUSDT", False, CANDLES[hour : hour + 1])
        assert await fingerprint_before(cryptos, "AUSDT", before_s) == crypto.fingerprint
    (appended,) = (await cryptos.page(["AUSDT"], "", 1, before_s)).cryptos
    assert appended.fingerprint != crypto.fingerprint


async def test_a_correction_changes_the_parts_that_hold_it(store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    at_s = START_S + 200 * HOUR_S
    first = await fingerprint_before(cryptos, "AUSDT", at_s)
    await store.write_candles("AUSDT", False, corrected(200))
    assert await fingerprint_before(cryptos, "AUSDT", at_s) == first
    second = await fingerprint_before(cryptos, "AUSDT", at_s + HOUR_S)
    assert second != first
    # To the values of before: the candles are the same again, the fingerprint is a new one.
    await store.write_candles("AUSDT", False, CANDLES[200:201])
    assert await fingerprint_before(cryptos, "AUSDT", at_s + HOUR_S) not in (first, second)


async def test_a_request_without_a_time_has_no_fingerprint_of_a_part(store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    (crypto,) = (await cryptos.page(["AUSDT"], "", 1)).cryptos
    assert crypto.fingerprint_before is None


Change = tuple[int, int, float]
changes = st.lists(
    st.tuples(st.integers(0, HOURS - 1), st.integers(1, 48), st.sampled_from([0.0, 1.0, 2.0])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15)
@given(changes=changes)
async def test_the_fingerprint_of_a_part_changes_exactly_when_the_part_does(module_database, changes):
    symbol = f"ANY{next(_numbers)}USDT"
    store, cryptos = CandleStore(module_database), CryptoStore(module_database)
    parts: dict[int, tuple[str, list[bytes]]] = {}
    seen: dict[int, set[str]] = {before_s: set() for before_s in PARTS}
    for first, hours, by in changes:
        await store.write_candles(symbol, False, corrected(first, first + hours, by))
        for before_s in PARTS:
            fingerprint = await fingerprint_before(cryptos, symbol, before_s)
            # Of longer candles those that end before, as a run has them.
            part = [
                column
                for interval in Interval
                for column in bits(
                    (
                        await history_of(module_database, symbol, interval, end_s=interval.opening(before_s))
                    ).candles
                )
            ]
            if before_s in parts:
                assert (fingerprint == parts[before_s][0]) == (part == parts[before_s][1])
            # Also where a part has the candles again that it once had: none repeats.
            if before_s not in parts or fingerprint != parts[before_s][0]:
                assert fingerprint not in seen[before_s]
            seen[before_s].add(fingerprint)
            parts[before_s] = fingerprint, part


async def test_retention_changes_every_part_of_what_it_cut(database, store, cryptos):
    year_s = 365 * 86_400
    horizon_s = 45 * year_s
    old = random_candles(1, 48, horizon_s - 24 * HOUR_S)
    await store.write_candles("OLDUSDT", False, old)
    await store.write_candles("NEWUSDT", False, CANDLES)
    before_s = horizon_s + 12 * HOUR_S
    fingerprints = [await fingerprint_before(cryptos, symbol, before_s) for symbol in ("OLDUSDT", "NEWUSDT")]
    assert await apply_retention(database, 3650, horizon_s + 10 * year_s + 86_400) == 24
    assert await fingerprint_before(cryptos, "OLDUSDT", before_s) != fingerprints[0]
    assert await fingerprint_before(cryptos, "NEWUSDT", before_s) == fingerprints[1]


# 0: no candle is ever dropped, and changes are forgotten all the same.
@pytest.mark.parametrize("retention_days", [3650, 0])
async def test_forgotten_changes_leave_right_fingerprints(database, store, cryptos, retention_days):
    for hours in (CANDLES[:100], CANDLES[100:101], corrected(50), CANDLES[101:102], CANDLES[102:103]):
        await store.write_candles("AUSDT", False, hours)
    at_s = START_S + 60 * HOUR_S
    states = await _noted(database)
    async with database.connection() as connection:
        # All but the last two, and one of them only because the clock was wrong.
        await connection.execute(
            "UPDATE candle_changes SET changed_at = now() - INTERVAL '100 days' "
            "WHERE fingerprint::text = ANY ($1)",
            [*states[:2], states[2], states[4]],
        )
    assert await apply_retention(database, retention_days, START_S) == 0
    assert await _noted(database) == states[3:]
    # The last change before that time is forgotten. This names the same candles: they were so from it on.
    assert await fingerprint_before(cryptos, "AUSDT", at_s) == states[3]
    await store.write_candles("AUSDT", False, CANDLES[103:104])
    assert await fingerprint_before(cryptos, "AUSDT", at_s) == states[3]
    await store.write_candles("AUSDT", False, corrected(10))
    assert await fingerprint_before(cryptos, "AUSDT", at_s) not in states


async def _noted(database: Database) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT fingerprint::text FROM candle_changes ORDER BY change_id")
    return [row[0] for row in rows]


async def test_thousands_of_changes_are_not_read(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    async with database.connection() as connection:
        # As if so many hours had been appended, one by one.
        await connection.execute(
            "INSERT INTO candle_changes (crypto_id, fingerprint, changed_from) "
            "SELECT crypto_id, gen_random_uuid(), to_timestamp($1) + hour * INTERVAL '1 hour' "
            "FROM cryptos, generate_series(1, 8000) AS hour",
            START_S,
        )
        await connection.execute("UPDATE cryptos SET last_ts = last_ts + INTERVAL '8000 hours'")
        await connection.execute("ANALYZE candle_changes")
    noted = await _noted(database)
    before = await _scans(database)
    for hour in (1, 3000, 7999):
        returned = await fingerprint_before(cryptos, "AUSDT", START_S + (hour + 1) * HOUR_S)
        # The first hours were there: those before have no change of their own.
        assert returned == noted[hour]
    after = await _scans(database)
    assert after[0] == before[0]
    assert after[1] - before[1] <= 3


async def _scans(database: Database) -> tuple[int, int]:
    """Return how often all changes were read, and how many were by an index."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return tuple(
            await connection.fetchrow(
                "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'candle_changes'"
            )
        )


@pytest.fixture
async def url_before(empty_url: str) -> str:
    """The URL of a database as the version before noted the changes of two cryptos."""
    connection = await asyncpg.connect(empty_url)
    try:
        await connection.execute(
            "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for version, name in ((1, "0001_candles.sql"), (2, "0002_aggregates.sql"), (3, "0003_ticks.sql")):
            await connection.execute(files("services.data.schema").joinpath("migrations", name).read_text())
            await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", version, name)
        await connection.execute("DROP TABLE candles_1h_doubles")
        await _note_at_random(connection)
    finally:
        await connection.close()
    return empty_url


async def _note_at_random(connection: asyncpg.Connection) -> None:
    random = np.random.default_rng(5)
    await connection.execute("INSERT INTO cryptos (symbol) VALUES ('AUSDT'), ('BUSDT')")
    await connection.executemany(
        "INSERT INTO candle_changes (crypto_id, fingerprint, changed_from) "
        "VALUES ($1, gen_random_uuid(), CASE WHEN $2 < 3 THEN '-infinity' ELSE to_timestamp($2) END)",
        zip(random.integers(1, 3, 200).tolist(), random.integers(0, 60, 200).tolist(), strict=True),
    )


async def test_changes_of_the_version_before_are_taken_over(url_before, server):
    superseded = "SELECT crypto_id, changed_from, superseded FROM candle_changes ORDER BY change_id"
    async with Database.connect(url_before, 2) as database:
        await migrate(database)
        async with database.connection() as connection:
            taken_over = await connection.fetch(superseded)
            # The same changes, noted one after the other by this version.
            await connection.execute(
                "TRUNCATE cryptos, candle_changes, breaks, packed_hours RESTART IDENTITY"
            )
            await _note_at_random(connection)
            noted = await connection.fetch(superseded)
    assert 0 < sum(row["superseded"] for row in noted) < 200
    assert taken_over == noted


async def test_a_change_noted_by_an_older_version_counts(database, store, cryptos):
    await store.write_candles("AUSDT", False, CANDLES)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO candle_changes (crypto_id, fingerprint, changed_from) "
            "SELECT crypto_id, '00000000-0000-0000-0000-000000000001', '-infinity' FROM cryptos"
        )
    returned = await fingerprint_before(cryptos, "AUSDT", START_S + 100 * HOUR_S)
    assert returned == "00000000-0000-0000-0000-000000000001"
