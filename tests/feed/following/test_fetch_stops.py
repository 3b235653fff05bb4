"""What a fetch needs, or what does it, stops in the middle: the fetch goes on, and ends right."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest
import stamina
from stamina.instrumentation import set_on_retry_hooks
from structlog.testing import capture_logs

from backcast.marketdata.v1.fetch_pb2 import FetchState
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.rpc.channel import open_channel
from tests.feed.feed_process import FeedProcess
from tests.feed.fetching import Store
from tests.feed.following.broken_writes import broken_writes
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import FollowedExchange
from tests.feed.following.fetches import create, ended, fetcher, found, is_there
from tests.feed.stand_in import serving
from tests.feed.stopped_services import stopped_services
from tests.folders import new_folder
from tests.paused_processes import paused
from tests.waiting import LIMIT_S, until

# More than are asked for at once.
BASES = tuple(f"A{number:02}" for number in range(20))


@pytest.fixture(autouse=True)
async def no_feed_processes(data: DataService) -> None:
    """Forget the feed processes and fetches of other tests."""
    await data.execute("TRUNCATE fetchers, fetches")


@pytest.mark.parametrize("is_killed", [True, False])
async def test_another_process_goes_on_with_the_fetch_of_one_that_ends(
    data: DataService, short_folder: Path, is_killed: bool
) -> None:
    exchange = FollowedExchange(*BASES)
    folder = new_folder(short_folder, "fetches")
    store = Store(MarketDataServiceStub(data.channel), "binance")

    def feed(name: str) -> FeedProcess:
        settings = {"exchange": "binance", "quote": exchange.quote, "url": exchange.stand_in.base_url}
        return FeedProcess(data.address, folder / name, **settings)

    with serving(exchange.stand_in):
        ending = feed("ending")
        try:
            await ending.record(event="round ended")
            # The fetch has all of it to do.
            await data.execute("DELETE FROM cryptos")
            last, go_on = len(exchange.stand_in.asked) + 12, Event()

            def hold(number: int) -> None:
                if number >= last:
                    go_on.wait(LIMIT_S)

            exchange.stand_in.on_request = hold
            fetch_id = await create(data, quote=exchange.quote)

            async def some_are_done() -> bool:
                return (await found(data, fetch_id)).progress.done_count > 0

            await until(some_are_done, 3 * LIMIT_S)
            if is_killed:
                ending.kill()
                await until(ending.has_ended, 3 * LIMIT_S)
            else:
                await asyncio.to_thread(ending.process.stop, LIMIT_S)
            exchange.stand_in.on_request = None
            go_on.set()
        finally:
            ending.process.stop(10)
        broken_off = await found(data, fetch_id)
        assert broken_off.state == FetchState.FETCH_STATE_RUNNING
        assert 0 < broken_off.progress.done_count < 20
        # One that stops says so: it is not waited for.
        assert await is_there(data) == is_killed
        assert await data.value("SELECT leased_until > now() FROM fetches") == is_killed
        if is_killed:
            await data.execute("UPDATE fetches SET leased_until = now()")
        going_on = feed("going on")
        try:
            fetch = await ended(data, fetch_id)
        finally:
            going_on.process.stop(10)
    assert (fetch.state, fetch.progress.crypto_count, fetch.progress.done_count) == (
        *(FetchState.FETCH_STATE_SUCCEEDED, 20, 20),
    )
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 100)


@pytest.mark.parametrize("is_another", [False, True])
async def test_a_fetch_goes_on_after_an_outage_of_the_database(short_folder: Path, is_another: bool) -> None:
    exchange = FollowedExchange(*BASES)
    async with (
        stopped_services(new_folder(short_folder, "outage")) as services,
        open_channel(services.address) as channel,
    ):
        data = DataService(channel, services.address, services.server.url)
        # The request after one whose candles were written.
        exchange.stand_in.on_request = lambda number: services.stop("database") if number == 11 else None
        with serving(exchange.stand_in), capture_logs() as records:
            async with fetcher(data, exchange, "one"):
                fetch_id = await create(data, quote=exchange.quote)
                await until(
                    lambda: any(each["event"] == "fetching interrupted" for each in records), 3 * LIMIT_S
                )
                assert not any(each["event"] == "fetch ended" for each in records)
                if not is_another:
                    await services.start("database")
                    fetch = await ended(data, fetch_id)
            if is_another:
                await services.start("database")
                assert (await found(data, fetch_id)).state == FetchState.FETCH_STATE_RUNNING
                await data.execute("UPDATE fetches SET leased_until = now()")
                async with fetcher(data, exchange, "other"):
                    fetch = await ended(data, fetch_id)
        assert all(str(each["reason"]).startswith("the database ") for each in records if "reason" in each)
        assert (fetch.state, fetch.error, fetch.progress.failed_count) == (
            *(FetchState.FETCH_STATE_SUCCEEDED, "", 0),
        )
        assert (fetch.progress.crypto_count, fetch.progress.done_count) == (20, 20)
        store = Store(MarketDataServiceStub(channel), "binance")
        for symbol in exchange.symbols:
            assert await exchange.is_stored(store, symbol, 0, 100)


@pytest.mark.parametrize("is_long", [False, True])
async def test_a_fetch_ends_right_after_a_pause_of_the_database(short_folder: Path, is_long: bool) -> None:
    """A long pause is longer than a write is tried: the fetch says what it waits for."""
    exchange = FollowedExchange(*BASES)
    waiting: list[str] = []
    async with (
        stopped_services(new_folder(short_folder, "paused")) as services,
        open_channel(services.address) as channel,
    ):
        data = DataService(channel, services.address, services.server.url)
        with (
            ExitStack() as pause,
            serving(exchange.stand_in),
            capture_logs() as records,
            stamina.set_testing(True, attempts=1 if is_long else 100, cap=True),
            retries_noted(waiting),
        ):
            exchange.stand_in.on_request = lambda number: (
                pause.enter_context(paused(services.server.process.pid)) if number == 11 else None
            )
            async with fetcher(data, exchange):
                fetch_id = await create(data, quote=exchange.quote)

                def is_waited_for() -> bool:
                    told = any(each["event"] == "fetching interrupted" for each in records)
                    return told if is_long else bool(waiting)

                await until(is_waited_for, 3 * LIMIT_S)
                pause.close()
                fetch = await ended(data, fetch_id)
        waiting += [str(each["reason"]) for each in records if each["event"] == "fetching interrupted"]
        assert waiting
        assert all(each.startswith(("the database ", "the data service did not answer")) for each in waiting)
        assert (fetch.state, fetch.error) == (FetchState.FETCH_STATE_SUCCEEDED, "")
        assert (fetch.progress.done_count, fetch.progress.failed_count) == (20, 0)
        store = Store(MarketDataServiceStub(channel), "binance")
        for symbol in exchange.symbols:
            assert await exchange.is_stored(store, symbol, 0, 100)


@contextmanager
def retries_noted(reasons: list[str]) -> Iterator[None]:
    """Note why something was tried again."""
    set_on_retry_hooks([lambda details: reasons.append(str(details.caused_by))])
    try:
        yield
    finally:
        set_on_retry_hooks(None)


async def test_a_crypto_that_cannot_be_written_fails_and_the_others_go_on(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    failing = exchange.symbols[1]
    async with broken_writes(data, failing, "internal_error"):
        with serving(exchange.stand_in):
            async with fetcher(data, exchange):
                fetch = await ended(data, await create(data, quote=exchange.quote))
        # What a transaction takes from a sequence stays taken.
        assert await data.value("SELECT last_value FROM attempts") == 5
    assert (fetch.state, fetch.error, fetch.progress.done_count) == (FetchState.FETCH_STATE_FAILED, "", 3)
    assert [(each.symbol, each.reason) for each in fetch.progress.failures] == [
        (
            failing,
            "its candles were not written in 5 attempts: the data service failed: internal error; the "
            "service's log has more",
        )
    ]
    store = Store(MarketDataServiceStub(data.channel), "binance")
    for symbol in (exchange.symbols[0], exchange.symbols[2]):
        assert await exchange.is_stored(store, symbol, 0, 100)


async def test_a_crypto_that_the_database_never_writes_in_time_fails_alone(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    failing = exchange.symbols[1]
    async with broken_writes(data, failing, "query_canceled"):
        with serving(exchange.stand_in):
            async with fetcher(data, exchange):
                fetch = await ended(data, await create(data, quote=exchange.quote))
    assert (fetch.state, fetch.error, fetch.progress.done_count) == (FetchState.FETCH_STATE_FAILED, "", 3)
    assert [(each.symbol, each.reason) for each in fetch.progress.failures] == [
        (failing, "its candles were not written in 120 s: the database took too long")
    ]
    store = Store(MarketDataServiceStub(data.channel), "binance")
    for symbol in (exchange.symbols[0], exchange.symbols[2]):
        assert await exchange.is_stored(store, symbol, 0, 100)


async def test_a_crypto_that_cannot_be_written_at_the_moment_is_waited_for(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    # More often than the data service is tried before it is asked whether it is there.
    async with broken_writes(data, exchange.symbols[1], "query_canceled", times=150):
        with serving(exchange.stand_in):
            async with fetcher(data, exchange):
                fetch = await ended(data, await create(data, quote=exchange.quote))
    assert (fetch.state, fetch.error, fetch.progress.done_count) == (
        *(FetchState.FETCH_STATE_SUCCEEDED, "", 3),
    )
    store = Store(MarketDataServiceStub(data.channel), "binance")
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 100)
