"""A fetch belongs to one feed process at a time, and another one goes on with it when that is gone."""

import asyncio
from dataclasses import replace

import pytest

from backcast_engine.errors import NotFound
from services.data.store.database import Database
from services.data.store.fetches import FetchProgress, FetchSpec, FetchState, FetchStore

SPEC = FetchSpec("binance", [], "USDT", False, 1_577_836_800, None, False)
PROGRESS = FetchProgress(
    crypto_count=9,
    done_symbols=["AUSDT", "BUSDT"],
    failed_count=1,
    failures={"BUSDT": "unknown"},
    inserted_count=100,
    corrected_count=2,
    unchanged_count=48,
    symbol="CUSDT",
    reached_s=1_577_900_000,
)
BINANCE = ["binance"]


@pytest.fixture
def fetches(database: Database) -> FetchStore:
    return FetchStore(database)


async def age(database: Database, seconds: int = 30) -> None:
    """Have everything happened this much earlier."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE fetches SET leased_until = leased_until - make_interval(secs => $1)", seconds
        )
        await connection.execute("UPDATE fetchers SET seen_at = seen_at - make_interval(secs => $1)", seconds)


async def test_one_of_many_feed_processes_gets_a_fetch(fetches: FetchStore) -> None:
    created = await fetches.create(SPEC)
    assert (created.state, created.spec, created.begun_s) == (FetchState.PENDING, SPEC, None)
    taken = await asyncio.gather(*(fetches.take(f"feed {number}", BINANCE) for number in range(8)))
    (one,) = filter(None, taken)
    assert (one.fetch_id, one.state) == (created.fetch_id, FetchState.RUNNING)
    assert one.begun_s is not None


async def test_the_oldest_fetch_of_an_exchange_that_a_process_knows_comes_first(fetches: FetchStore) -> None:
    await fetches.create(replace(SPEC, exchange="other"))
    older, newer = await fetches.create(SPEC), await fetches.create(SPEC)
    for created in (older, newer):
        taken = await fetches.take(f"feed of {created.fetch_id}", BINANCE)
        assert taken is not None
        assert taken.fetch_id == created.fetch_id
    assert await fetches.take("third", BINANCE) is None


async def test_who_has_a_fetch_gets_it_again(fetches: FetchStore) -> None:
    first = await fetches.create(SPEC)
    await fetches.take("one", BINANCE)
    await fetches.create(SPEC)
    again = await fetches.take("one", BINANCE)
    assert again is not None
    assert again.fetch_id == first.fetch_id


async def test_another_process_goes_on_with_a_fetch_whose_process_is_gone(
    fetches: FetchStore, database: Database
) -> None:
    created = await fetches.create(SPEC)
    await fetches.take("one", BINANCE)
    recorded, fetch = await fetches.record(created.fetch_id, "one", PROGRESS, FetchState.RUNNING, "")
    assert (recorded, fetch.progress, fetch.state) == (True, PROGRESS, FetchState.RUNNING)
    await age(database, 20)
    assert await fetches.take("other", BINANCE) is None
    await age(database, 10)
    taken = await fetches.take("other", BINANCE)
    assert taken is not None
    assert (taken.fetch_id, taken.progress) == (created.fetch_id, PROGRESS)
    # It was only slow.
    late = replace(PROGRESS, inserted_count=999)
    recorded, fetch = await fetches.record(created.fetch_id, "one", late, FetchState.SUCCEEDED, "")
    assert (recorded, fetch.progress, fetch.state) == (False, PROGRESS, FetchState.RUNNING)


async def test_a_fetch_that_has_ended_is_not_taken_up(fetches: FetchStore, database: Database) -> None:
    created = await fetches.create(SPEC)
    await fetches.take("one", BINANCE)
    recorded, fetch = await fetches.record(created.fetch_id, "one", PROGRESS, FetchState.FAILED, "banned")
    assert (recorded, fetch.state, fetch.error) == (True, FetchState.FAILED, "banned")
    assert fetch.finished_s is not None
    await age(database, 3600)
    assert await fetches.take("one", BINANCE) is None
    assert (await fetches.cancel(created.fetch_id)).state is FetchState.FAILED


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_fetch_that_is_cancelled_ends(fetches: FetchStore, is_taken: bool) -> None:
    created = await fetches.create(SPEC)
    if is_taken:
        await fetches.take("one", BINANCE)
    assert (await fetches.cancel(created.fetch_id)).state is FetchState.CANCELLED
    recorded, fetch = await fetches.record(created.fetch_id, "one", PROGRESS, FetchState.RUNNING, "")
    assert (recorded, fetch.state) == (False, FetchState.CANCELLED)
    assert await fetches.take("one", BINANCE) is None


async def test_a_fetch_that_is_not_there_is_named(fetches: FetchStore) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(NotFound, match=unknown):
        await fetches.cancel(unknown)
    with pytest.raises(NotFound, match=unknown):
        await fetches.record(unknown, "one", PROGRESS, FetchState.RUNNING, "")


async def test_a_feed_process_is_there_for_half_a_minute_after_a_call(
    fetches: FetchStore, database: Database
) -> None:
    assert await fetches.exchanges() == []
    await fetches.take("one", ["okx", "binance"])
    await fetches.take("other", ["binance"])
    assert await fetches.exchanges() == ["binance", "okx"]
    await age(database)
    assert await fetches.exchanges() == []


async def test_what_ended_a_month_ago_is_forgotten(fetches: FetchStore, database: Database) -> None:
    old, running = await fetches.create(SPEC), await fetches.create(SPEC)
    await fetches.cancel(old.fetch_id)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE fetches SET created_at = created_at - INTERVAL '31 days', "
            "finished_at = finished_at - INTERVAL '31 days'"
        )
    assert [each.fetch_id for each in await fetches.all()] == [running.fetch_id]
    await fetches.create(SPEC)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM fetches") == 2
