"""What is written is there, is all there, and is of one moment."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput, Refused
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.data.store.writer import ImportCounts
from services.domain.candle_rules import checked_blocks
from tests.candle_making import START_S, random_candles
from tests.data.conftest import (
    StoredHistory,
    bits,
    blocks_of,
    candles_of,
    history_of,
    listed,
    rows,
    until_waiting,
)

HOUR_S = 3600
MAX_S = (2**63 - 1) // HOUR_S * HOUR_S
NOW_S = 1_767_225_600  # 2026-01-01T00:00:00Z
COUNT = 500
CANDLES = random_candles(1, COUNT)


def _corrected(candles: Candles, place: int) -> Candles:
    volume = candles.volume.copy()
    volume[place] += 1
    return Candles(*candles.columns()[:-1], volume)


@pytest.mark.parametrize("cuts", [[], [1], [100, 100, 499]])
async def test_a_history_is_what_was_written(store, cryptos, database, cuts):
    parts = [CANDLES[start:end] for start, end in zip([0, *cuts], [*cuts, COUNT], strict=True)]
    assert await store.write("AUSDT", False, blocks_of(*parts)) == ImportCounts(COUNT, 0, 0)
    history = await history_of(database, "AUSDT")
    assert bits(history.candles) == bits(CANDLES)
    assert history.fingerprint == (await listed(cryptos))["AUSDT"].fingerprint


async def test_a_history_with_gaps_stays_one(store, cryptos, database):
    there = np.random.default_rng(2).random(COUNT) < 0.7
    gappy = candles_of([row for row, is_there in zip(rows(CANDLES), there, strict=True) if is_there])
    await store.write("AUSDT", False, blocks_of(gappy))
    assert bits((await history_of(database, "AUSDT")).candles) == bits(gappy)


async def test_cryptos_do_not_touch_each_other(store, cryptos, database):
    other = random_candles(2, COUNT)
    await store.write("AUSDT", False, blocks_of(CANDLES))
    await store.write("BUSDT", True, blocks_of(other))
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES)
    assert bits((await history_of(database, "BUSDT")).candles) == bits(other)
    assert [crypto.synthetic for crypto in (await listed(cryptos)).values()] == [False, True]


async def test_a_second_import_of_the_same_changes_nothing(store, cryptos, database):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    before = await listed(cryptos)
    assert await store.write("AUSDT", False, blocks_of(CANDLES)) == ImportCounts(0, 0, COUNT)
    assert await store.write("AUSDT", False, blocks_of(CANDLES[7:9])) == ImportCounts(0, 0, 2)
    assert await listed(cryptos) == before
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
async def test_a_candle_with_another_value_is_corrected(store, cryptos, database, column):
    await store.write("AUSDT", False, blocks_of(CANDLES))
    await store.write("BUSDT", False, blocks_of(CANDLES))
    before = await listed(cryptos)

    values = {name: value.copy() for name, value in zip(Candles.__slots__, CANDLES.columns(), strict=True)}
    values[column][[0, 250]] = np.nextafter(values[column][[0, 250]], np.inf)
    corrected = Candles(**values)
    assert await store.write("AUSDT", False, blocks_of(corrected)) == ImportCounts(0, 2, COUNT - 2)

    after = await listed(cryptos)
    assert bits((await history_of(database, "AUSDT")).candles) == bits(corrected)
    assert bits((await history_of(database, "BUSDT")).candles) == bits(CANDLES)
    assert after["AUSDT"].fingerprint != before["AUSDT"].fingerprint
    assert after["AUSDT"].candle_count == COUNT
    assert after["BUSDT"] == before["BUSDT"]


async def test_a_fingerprint_never_comes_back(store, cryptos, database):
    seen = []
    for candles in (CANDLES, _corrected(CANDLES, 5), CANDLES):
        await store.write("AUSDT", False, blocks_of(candles))
        seen.append((await listed(cryptos))["AUSDT"].fingerprint)
    assert len({uuid.UUID(fingerprint) for fingerprint in seen}) == 3


async def test_new_and_corrected_and_unchanged_candles_in_one_import(store, cryptos, database):
    await store.write("AUSDT", False, blocks_of(CANDLES[:200], CANDLES[300:400]))
    last = _corrected(CANDLES, 399)
    assert await store.write("AUSDT", False, blocks_of(last[100:])) == ImportCounts(200, 1, 199)
    assert bits((await history_of(database, "AUSDT")).candles) == bits(last)


async def test_the_list_keeps_up_with_candles_before_after_and_amid(store, cryptos, database):
    expected = 0
    first, last = COUNT, -1
    for start, end in ((200, 300), (100, 120), (400, 401), (150, 160), (90, 310), (0, COUNT)):
        counts = await store.write("AUSDT", False, blocks_of(CANDLES[start:end]))
        expected += counts.inserted
        first, last = min(first, start), max(last, end - 1)
        crypto = (await listed(cryptos))["AUSDT"]
        stored = (await history_of(database, "AUSDT")).candles
        assert crypto.candle_count == expected == len(stored)
        assert crypto.first_candle_s == START_S + HOUR_S * first == stored.open_time_s[0]
        assert crypto.last_candle_s == START_S + HOUR_S * last == stored.open_time_s[-1]
    assert expected == COUNT


@pytest.mark.parametrize("start_s", [0, 946_684_800 - HOUR_S, NOW_S - 2 * HOUR_S])
async def test_candles_of_any_time_that_the_rules_allow_are_stored(store, cryptos, database, start_s):
    candles = random_candles(1, 2, start_s)
    blocks = checked_blocks(blocks_of(candles), Interval.HOUR_1, NOW_S)
    assert await store.write("AUSDT", False, blocks) == ImportCounts(2, 0, 0)
    corrected = _corrected(candles, 0)
    assert await store.write("AUSDT", False, blocks_of(corrected)) == ImportCounts(0, 1, 1)
    assert bits((await history_of(database, "AUSDT")).candles) == bits(corrected)
    crypto = (await listed(cryptos))["AUSDT"]
    assert (crypto.first_candle_s, crypto.last_candle_s) == (start_s, start_s + HOUR_S)


@pytest.mark.parametrize(
    ("time_s", "reason"),
    [
        (-HOUR_S, "before 1970"),
        (-MAX_S, "before 1970"),
        (NOW_S, "not closed yet"),
        (MAX_S, "not closed yet"),
    ],
)
async def test_candles_of_other_times_are_refused(store, cryptos, time_s, reason):
    """Microseconds in the place of seconds would wrap around, and be stored as some other time."""
    assert time_s % HOUR_S == 0
    with pytest.raises(InvalidInput, match=reason):
        await store.write(
            "AUSDT", False, checked_blocks(blocks_of(random_candles(1, 1, time_s)), Interval.HOUR_1, NOW_S)
        )


async def test_an_import_needs_candles(store, cryptos, database):
    for blocks in (blocks_of(), blocks_of(Candles.empty(), Candles.empty())):
        with pytest.raises(InvalidInput, match="at least one candle"):
            await store.write("AUSDT", False, blocks)
    assert await _cryptos_with_or_without_candles(database) == 0


async def _cryptos_with_or_without_candles(database: Database) -> int:
    async with database.connection() as connection:
        return await connection.fetchval("SELECT count(*) FROM cryptos")


def _rule_broken() -> AsyncIterator[Candles]:
    values = [column.copy() for column in CANDLES[300:].columns()]
    values[4][20] = values[2][20] * 2  # a close above the high
    return checked_blocks(blocks_of(CANDLES[:300], Candles(*values)), Interval.HOUR_1, NOW_S)


def _order_broken() -> AsyncIterator[Candles]:
    return checked_blocks(blocks_of(CANDLES[:300], CANDLES[299:]), Interval.HOUR_1, NOW_S)


async def _sender_gone() -> AsyncIterator[Candles]:
    yield CANDLES[:300]
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        (_rule_broken, InvalidInput),
        (_order_broken, InvalidInput),
        (_sender_gone, ConnectionResetError),
        # Even if no rule had caught it: the database takes no hour twice.
        (lambda: blocks_of(CANDLES[:300], CANDLES[299:]), Exception),
    ],
)
async def test_a_bad_import_leaves_nothing(store, cryptos, database, blocks, error):
    with pytest.raises(error):
        await store.write("AUSDT", False, blocks())
    assert await _cryptos_with_or_without_candles(database) == 0

    await store.write("AUSDT", False, blocks_of(_corrected(CANDLES, 5)[:100]))
    before = await listed(cryptos)
    with pytest.raises(error):
        await store.write("AUSDT", False, blocks())
    assert await listed(cryptos) == before
    history = await history_of(database, "AUSDT")
    assert bits(history.candles) == bits(_corrected(CANDLES, 5)[:100])


async def test_an_import_that_is_cancelled_leaves_nothing(store, cryptos, database):
    """It waits for another one's lock when its caller goes away."""
    await store.write("AUSDT", False, blocks_of(CANDLES[:100]))
    before = await listed(cryptos)
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM cryptos FOR UPDATE")
        importing = asyncio.create_task(store.write("AUSDT", False, blocks_of(CANDLES)))
        await until_waiting(database, 1)
        importing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await importing
    assert await listed(cryptos) == before
    assert await store.write("AUSDT", False, blocks_of(CANDLES)) == ImportCounts(COUNT - 100, 0, 100)


@pytest.mark.parametrize("is_new", [True, False])
async def test_imports_of_one_crypto_at_a_time_are_like_one_after_the_other(store, cryptos, database, is_new):
    if not is_new:
        await store.write("AUSDT", False, blocks_of(CANDLES[:10]))
    versions = [random_candles(seed, COUNT) for seed in (1, 2, 3, 4)]
    # Of different lengths, and all over each other in the middle.
    ranges = [(0, 300), (100, 400), (200, COUNT), (150, 350)]
    counts = await asyncio.gather(
        *(
            store.write("AUSDT", False, blocks_of(version[start:end]))
            for version, (start, end) in zip(versions, ranges, strict=True)
        )
    )
    stored = rows((await history_of(database, "AUSDT")).candles)
    crypto = (await listed(cryptos))["AUSDT"]
    assert len(stored) == crypto.candle_count == COUNT
    assert sum(each.inserted for each in counts) == COUNT - (0 if is_new else 10)
    for each, (start, end) in zip(counts, ranges, strict=True):
        assert each.inserted + each.corrected + each.unchanged == end - start
    # Where all ranges overlap, all candles are of whichever came last.
    middle = stored[200:300]
    assert middle in [rows(version[200:300]) for version in versions]


async def test_imports_of_different_cryptos_run_at_the_same_time(store, cryptos, database):
    versions = {f"C{seed}USDT": random_candles(seed, COUNT) for seed in range(8)}
    await asyncio.gather(
        *(store.write(symbol, False, blocks_of(candles)) for symbol, candles in versions.items())
    )
    for symbol, candles in versions.items():
        assert bits((await history_of(database, symbol)).candles) == bits(candles)


@pytest.mark.parametrize("synthetic", [True, False])
async def test_synthetic_and_market_candles_do_not_mix(store, cryptos, database, synthetic):
    await store.write("AUSDT", synthetic, blocks_of(CANDLES[:100]))
    before = await listed(cryptos)
    conflict = "has synthetic candles: market ones" if synthetic else "has market candles: synthetic ones"
    with pytest.raises(Refused, match=f"AUSDT {conflict} cannot be mixed in"):
        await store.write("AUSDT", not synthetic, blocks_of(CANDLES))
    assert await listed(cryptos) == before
    assert before["AUSDT"].synthetic is synthetic
    assert len((await history_of(database, "AUSDT")).candles) == 100


@pytest.mark.parametrize("interval", [Interval.HOUR_1, Interval.DAY_1])
async def test_a_fingerprint_is_of_the_candles_that_come_with_it(store, cryptos, database, interval):
    # Each version differs from each other in every candle, so that half of one would show.
    versions = [random_candles(seed, COUNT) for seed in range(30)]
    await store.write("AUSDT", False, blocks_of(versions[0]))
    histories: list[StoredHistory] = []
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            histories.append(await history_of(database, "AUSDT", interval))

    readers = [asyncio.create_task(read()) for _ in range(3)]
    written: dict[str, Candles] = {}
    for version in versions:
        await store.write("AUSDT", False, blocks_of(version))
        written[(await listed(cryptos))["AUSDT"].fingerprint] = version
    done.set()
    await asyncio.gather(*readers)

    assert len({history.fingerprint for history in histories}) > 10
    for history in histories:
        version = written[history.fingerprint]
        hours = interval.seconds // HOUR_S
        assert history.candles.open.tolist() == version.open[: COUNT // hours * hours : hours].tolist()
