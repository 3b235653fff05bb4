"""The hours that an exchange was asked for are recorded with their candles, in one transaction."""

import pytest

from backcast_engine.errors import InvalidInput, Refused
from services.data.store.asked_hours import Fetched
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore
from services.domain.conflict_rule import ConflictRule
from tests.candle_making import START_S, random_candles
from tests.data.conftest import blocks_of, listed

CANDLES = random_candles(1, 300)


def hours(first: int, last: int, source: str = "binance") -> Fetched:
    return Fetched(source, START_S + 3600 * first, START_S + 3600 * last)


async def asked_of(database: Database, symbol: str) -> tuple[str, list[tuple[int, int]]]:
    crypto = (await listed(CryptoStore(database)))[symbol]
    spans = zip(crypto.asked_from_s, crypto.asked_to_s, strict=True)
    return crypto.source, [((first - START_S) // 3600, (last - START_S) // 3600) for first, last in spans]


async def test_hours_that_follow_or_overlap_are_one_span(store: CandleStore, database: Database) -> None:
    for first, last in ((0, 100), (200, 250), (100, 120), (110, 130)):
        await store.write("AUSDT", False, blocks_of(CANDLES[first:last]), fetched=hours(first, last))
    assert await asked_of(database, "AUSDT") == ("binance", [(0, 130), (200, 250)])


async def test_hours_are_recorded_although_no_candle_is_new(store: CandleStore, database: Database) -> None:
    await store.write("AUSDT", False, blocks_of(CANDLES))
    assert await asked_of(database, "AUSDT") == ("", [])
    counts = await store.write("AUSDT", False, blocks_of(CANDLES[:50]), fetched=hours(-10, 60))
    assert (counts.inserted, counts.unchanged) == (0, 50)
    assert await asked_of(database, "AUSDT") == ("binance", [(-10, 60)])


async def test_an_import_that_is_refused_records_nothing(store: CandleStore, database: Database) -> None:
    await store.write("AUSDT", False, blocks_of(CANDLES))
    other = random_candles(2, 300)
    with pytest.raises(Refused, match="stored hours would change"):
        await store.write("AUSDT", False, blocks_of(other), ConflictRule.GUARDED, hours(0, 300))
    assert await asked_of(database, "AUSDT") == ("", [])


async def test_candles_of_a_second_exchange_are_refused(store: CandleStore, database: Database) -> None:
    await store.write("AUSDT", False, blocks_of(CANDLES[:10]), fetched=hours(0, 10))
    with pytest.raises(Refused, match=r"^AUSDT has candles of binance: those of okx cannot be mixed in$"):
        await store.write("AUSDT", False, blocks_of(CANDLES[20:30]), fetched=hours(20, 30, "okx"))
    # A file may be of any source, and changes nothing about what was asked.
    await store.write("AUSDT", False, blocks_of(CANDLES[40:50]))
    assert await asked_of(database, "AUSDT") == ("binance", [(0, 10)])
    assert (await listed(CryptoStore(database)))["AUSDT"].candle_count == 20


async def test_a_candle_outside_of_the_asked_hours_is_refused(store: CandleStore, database: Database) -> None:
    with pytest.raises(InvalidInput, match=r"^columns\[5\]: the candle is outside of header.asked_hours$"):
        await store.write("AUSDT", False, blocks_of(CANDLES[:10]), fetched=hours(0, 5))
    assert await listed(CryptoStore(database)) == {}


async def test_hours_without_candles_are_recorded_where_the_crypto_is_stored(
    store: CandleStore, database: Database
) -> None:
    with pytest.raises(
        InvalidInput, match=r"^columns: AUSDT is not stored yet: at least one candle is needed$"
    ):
        await store.write("AUSDT", False, blocks_of(CANDLES[:0]), fetched=hours(0, 100))
    assert await listed(CryptoStore(database)) == {}
    await store.write("AUSDT", False, blocks_of(CANDLES[:100]), fetched=hours(0, 100))
    fingerprint = (await listed(CryptoStore(database)))["AUSDT"].fingerprint
    counts = await store.write("AUSDT", False, blocks_of(CANDLES[:0]), fetched=hours(100, 200))
    assert (counts.inserted, counts.corrected, counts.unchanged) == (0, 0, 0)
    assert await asked_of(database, "AUSDT") == ("binance", [(0, 200)])
    assert (await listed(CryptoStore(database)))["AUSDT"].fingerprint == fingerprint
    with pytest.raises(InvalidInput, match=r"^columns: an import needs at least one candle$"):
        await store.write("AUSDT", False, blocks_of(CANDLES[:0]))


@pytest.mark.parametrize("rule", [ConflictRule.GUARDED, ConflictRule.FAIL])
async def test_an_exchange_may_correct_its_own_candles_and_no_others(
    store: CandleStore, database: Database, rule: ConflictRule
) -> None:
    await store.write("AUSDT", False, blocks_of(CANDLES[100:200]))
    await store.write("AUSDT", False, blocks_of(CANDLES[:100]), fetched=hours(0, 100))
    others = random_candles(2, 300)
    if rule is ConflictRule.GUARDED:
        counts = await store.write("AUSDT", False, blocks_of(others[50:100]), rule, hours(50, 100))
        assert counts.corrected == 50
    else:
        with pytest.raises(Refused, match="has other values stored for 50 candles"):
            await store.write("AUSDT", False, blocks_of(others[50:100]), rule, hours(50, 100))
    with pytest.raises(Refused):
        await store.write("AUSDT", False, blocks_of(others[50:150]), rule, hours(50, 150))
    assert await asked_of(database, "AUSDT") == ("binance", [(0, 100)])
