"""The row of a feed gives an hour to one follower, and keeps what its rounds did."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from backcast_engine.errors import InvalidInput
from services.data.corrections import log_corrections
from services.data.store.database import Database
from services.data.store.feeds import Feed, FeedRound, FeedStore
from services.data.store.writer import CandleStore
from tests.candle_making import START_S, random_candles
from tests.data.conftest import blocks_of

HOUR_S = 3600
ROUND = FeedRound(
    exchange="binance",
    quote="USDT",
    hour_s=START_S,
    follower="one",
    is_complete=True,
    is_done=True,
    is_recheck=False,
    crypto_count=211,
    failed_count=0,
    left_out_count=2,
    failure="",
    inserted_count=209,
    corrected_count=3,
    ended_symbols=["B", "A"],
)


@pytest.fixture
def feeds(database: Database) -> FeedStore:
    return FeedStore(database)


async def take(feeds: FeedStore, follower: str, hour: int = 0):
    return await feeds.take_lease("binance", "USDT", START_S + hour * HOUR_S, follower)


async def test_one_of_many_followers_gets_an_hour(feeds: FeedStore) -> None:
    for hour in range(3):
        leases = await asyncio.gather(*(take(feeds, f"follower {number}", hour) for number in range(8)))
        assert sorted(lease.is_taken for lease in leases) == [False] * 7 + [True]
        assert all(0 < lease.wait_s <= 600 for lease in leases if not lease.is_taken)


async def test_who_has_the_lease_can_take_it_again(feeds: FeedStore) -> None:
    assert (await take(feeds, "one")).is_taken
    assert (await take(feeds, "one")).is_taken
    assert not (await take(feeds, "other")).is_taken


async def test_another_follower_can_take_a_lease_that_is_ten_minutes_old(
    feeds: FeedStore, database: Database
) -> None:
    await take(feeds, "one")
    async with database.connection() as connection:
        await connection.execute("UPDATE feeds SET turn_taken_at = turn_taken_at - INTERVAL '10 minutes'")
    assert (await take(feeds, "other")).is_taken
    assert not (await take(feeds, "one")).is_taken


async def test_another_follower_can_take_at_once_what_one_that_stops_has_given_back(
    feeds: FeedStore,
) -> None:
    await take(feeds, "one")
    await feeds.release("binance", "USDT", "other")
    await feeds.release("okx", "USDT", "one")
    assert not (await take(feeds, "other")).is_taken
    await feeds.release("binance", "USDT", "one")
    assert (await take(feeds, "other")).is_taken
    # Late: it has nothing any more.
    await feeds.release("binance", "USDT", "one")
    assert not (await take(feeds, "third")).is_taken


async def test_what_is_done_stays_done_when_its_follower_stops(feeds: FeedStore) -> None:
    await take(feeds, "one")
    await feeds.record(ROUND)
    await feeds.release("binance", "USDT", "one")
    assert (await take(feeds, "other")).is_done


async def test_nobody_can_take_a_lease_that_is_done_or_over(feeds: FeedStore, database: Database) -> None:
    await take(feeds, "one")
    await feeds.record(ROUND)
    async with database.connection() as connection:
        await connection.execute("UPDATE feeds SET turn_taken_at = turn_taken_at - INTERVAL '1 day'")
    for follower in ("one", "other"):
        lease = await take(feeds, follower)
        assert (lease.is_taken, lease.is_done, lease.wait_s) == (False, True, 0)
        assert (await take(feeds, follower, -1)).is_done
    assert (await take(feeds, "other", 1)).is_taken
    # Late, and of a lease that it has no more.
    await feeds.record(replace(ROUND, hour_s=START_S + HOUR_S))
    assert not (await take(feeds, "third", 1)).is_done


async def test_the_rounds_of_a_feed_add_up(feeds: FeedStore) -> None:
    await take(feeds, "one")
    first = await feeds.record(replace(ROUND, is_recheck=True))
    assert first == replace(
        Feed("binance", "USDT", START_S, START_S, first.round_end_s, 211, 0, 2, "", 209, 3, 0),
        ended_symbols=["A", "B"],
    )
    failed = replace(
        ROUND, hour_s=START_S + HOUR_S, is_complete=False, is_done=False, failed_count=4, failure="away"
    )
    second = await feeds.record(replace(failed, is_recheck=True))
    assert (second.newest_hour_s, second.rechecked_hour_s) == (START_S, START_S)
    assert (second.failed_count, second.failure, second.failure_count) == (4, "away", 1)
    assert (second.inserted_count, second.corrected_count) == (418, 6)
    assert await feeds.all() == [second]


async def test_a_round_of_no_feed_is_refused(feeds: FeedStore) -> None:
    with pytest.raises(InvalidInput, match=r"^exchange: there is no feed of binance USDT$"):
        await feeds.record(ROUND)
    assert await feeds.all() == []


async def test_corrections_are_logged_with_old_and_new_values(store: CandleStore) -> None:
    candles = random_candles(1, 200)
    await store.write("AUSDT", False, blocks_of(candles))
    corrected = candles.at(candles.open_time_s >= START_S + 190 * HOUR_S)
    corrected.volume[2:] += 1
    counts = await store.write("AUSDT", False, blocks_of(corrected))
    assert counts.corrected == len(counts.replaced) == len(counts.replacing) == 8
    with capture_logs() as records:
        log_corrections("AUSDT", "binance", counts.replaced, counts.replacing)
    assert len(records) == 8
    assert records[0] == {
        "log_level": "info",
        "event": "candle corrected",
        "symbol": "AUSDT",
        "source": "binance",
        "time": "2024-01-09 00:00 UTC",
        "old": [float(column[192]) for column in candles.columns()[1:]],
        "new": [float(column[2]) for column in corrected.columns()[1:]],
    }
    assert records[0]["old"][:4] == records[0]["new"][:4]
    assert records[0]["old"][4] + 1 == records[0]["new"][4]


async def test_of_many_corrections_the_rest_is_counted() -> None:
    with capture_logs() as records:
        log_corrections("AUSDT", "binance", random_candles(1, 60), random_candles(2, 60))
    assert len(records) == 49
    assert records[-1]["event"] == "more candles corrected"
    assert records[-1]["count"] == 12
