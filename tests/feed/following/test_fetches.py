"""A fetch that is asked for is done by a feed process."""

from collections import deque
from threading import Event
from uuid import UUID

import grpc
import pytest

from backcast.marketdata.v1 import fetch_service_pb2 as pb
from backcast.marketdata.v1.fetch_pb2 import FetchState
from backcast.marketdata.v1.fetch_service_pb2_grpc import FetchServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import ErrorReason
from services.domain.fetch_request import NO_FEED_PROCESS
from services.imports.candle_writer import write_candles
from services.rpc.status import violations_of
from services.wire.candles import timestamp_to
from tests.candle_making import random_candles
from tests.error_info import error_info
from tests.feed.fetching import Store
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange
from tests.feed.following.fetches import create, ended, fetcher, found
from tests.feed.stand_in import HOUR_S, serving
from tests.waiting import LIMIT_S, until


@pytest.fixture(autouse=True)
async def no_feed_processes(data: DataService) -> None:
    """Forget the feed processes and fetches of other tests."""
    await data.execute("TRUNCATE fetchers, fetches")


async def test_a_fetch_that_is_asked_for_is_done(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC", at_hour=400)
    store = Store(MarketDataServiceStub(data.channel), "binance")
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            fetch = await ended(data, await create(data, quote=exchange.quote.lower()))
            assert (fetch.state, fetch.error) == (FetchState.FETCH_STATE_SUCCEEDED, "")
            progress = fetch.progress
            assert (progress.crypto_count, progress.done_count, progress.failed_count) == (3, 3, 0)
            assert (progress.inserted_count, progress.unchanged_count) == (3 * 400, 0)
            assert progress.reached_time.seconds == START_S + 400 * HOUR_S
            assert fetch.spec.quote == exchange.quote
            for symbol in exchange.symbols:
                assert await exchange.is_stored(store, symbol, 0, 400)
            exchange.stand_in.asked.clear()
            again = await ended(data, await create(data, symbols=[exchange.symbols[0].lower()]))
    assert (again.progress.inserted_count, again.progress.unchanged_count) == (0, 48)
    assert len(exchange.stand_in.windows()) == 1


async def test_without_a_feed_process_a_fetch_is_refused(data: DataService) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(data, quote="USDT")
    assert error_info(caught.value) == ("FAILED_PRECONDITION", ErrorReason.REFUSED, {})
    assert caught.value.details() == NO_FEED_PROCESS


async def test_a_fetch_that_is_not_there_is_not_found(data: DataService) -> None:
    fetch_id = str(UUID(int=1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await FetchServiceStub(data.channel).CancelFetch(pb.CancelFetchRequest(fetch_id=fetch_id))
    assert error_info(caught.value) == ("NOT_FOUND", ErrorReason.NOT_FOUND, {})
    assert caught.value.details() == f"there is no fetch {fetch_id}"


async def test_what_is_wrong_with_a_fetch_is_named(data: DataService) -> None:
    exchange = FollowedExchange("AAA")
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            for spec, violations in (
                ({"exchange": "bynance", "quote": "USDT"}, {"spec.exchange": "did you mean binance?"}),
                ({}, {"spec.symbols": "either symbols or a quote currency is needed"}),
                (
                    {"symbols": ["BTCUSDT.P", "?"]},
                    {"spec.symbols[0]": "only spot candles can be fetched", "spec.symbols[1]": "'?'"},
                ),
                (
                    {"quote": "USDT", "start_time": timestamp_to(32_503_680_000)},
                    {"spec.start_time": "3000-01-01 00:00 UTC is in the future"},
                ),
                ({"quote": "USDT", "start_time": timestamp_to(-1)}, {"spec.start_time": "is before 1970"}),
                (
                    {"quote": "USDT", "end_time": timestamp_to(START_S)},
                    {"spec.start_time": "is not before end_time"},
                ),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await create(data, **spec)
                named = {each.field: each.reason for each in violations_of(caught.value)}
                assert named.keys() == violations.keys()
                assert all(text in named[field] for field, text in violations.items())
            # What only the exchange knows.
            unknown = await ended(data, await create(data, symbols=["XYZUSDT"]))
            quoted = await ended(data, await create(data, quote="XYZ"))
    assert unknown.state == quoted.state == FetchState.FETCH_STATE_FAILED
    assert unknown.error == "symbols[0]: Binance has no XYZUSDT"
    assert quoted.error.startswith("quote: Binance quotes nothing in XYZ")


async def test_cryptos_that_fail_are_named_and_hold_up_no_other(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "BBB")
    made_up, good = exchange.symbols
    await write_candles(MarketDataServiceStub(data.channel), made_up, random_candles(1, 50), synthetic=True)
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            fetch = await ended(data, await create(data, quote=exchange.quote))
    assert (fetch.state, fetch.error, fetch.progress.failed_count) == (
        *(FetchState.FETCH_STATE_FAILED, "", 1),
    )
    assert [(each.symbol, each.reason) for each in fetch.progress.failures] == [
        (made_up, f"{made_up} has synthetic candles: those of binance cannot be mixed in")
    ]
    assert (fetch.progress.done_count, fetch.progress.inserted_count) == (2, 100)
    assert await exchange.is_stored(Store(MarketDataServiceStub(data.channel), "binance"), good, 0, 100)


async def test_pairs_whose_symbols_are_none_are_named_and_the_others_are_fetched(data: DataService) -> None:
    exchange = FollowedExchange("AAA", "bbb", "Я", "C\0C", "D" * 100)
    good = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            fetch = await ended(data, await create(data, quote=exchange.quote))
    assert (fetch.state, fetch.progress.crypto_count, fetch.progress.done_count) == (
        *(FetchState.FETCH_STATE_FAILED, 1, 1),
    )
    for symbol in exchange.symbols[1:4]:
        assert f"{symbol!r} of Binance is not a symbol that Backcast knows" in fetch.error
    assert fetch.error.count("is not a symbol") == 4
    assert await exchange.is_stored(Store(MarketDataServiceStub(data.channel), "binance"), good, 0, 100)


async def test_an_exchange_that_bans_ends_a_fetch_whose_error_says_so(data: DataService) -> None:
    exchange = FollowedExchange("AAA")
    exchange.stand_in.faults = deque(["", "418"])
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            fetch = await ended(data, await create(data, quote=exchange.quote))
    assert fetch.state == FetchState.FETCH_STATE_FAILED
    assert fetch.error.startswith("Binance has banned this machine until ")


async def test_a_fetch_that_is_cancelled_stops_asking(data: DataService) -> None:
    exchange = FollowedExchange(*(f"A{number:02}" for number in range(20)))
    go_on = Event()

    def hold(number: int) -> None:
        if number >= 12:
            go_on.wait(LIMIT_S)

    exchange.stand_in.on_request = hold
    with serving(exchange.stand_in):
        async with fetcher(data, exchange):
            fetch_id = await create(data, quote=exchange.quote)
            await until(lambda: len(exchange.stand_in.asked) >= 12)
            cancelled = await FetchServiceStub(data.channel).CancelFetch(
                pb.CancelFetchRequest(fetch_id=fetch_id)
            )
            # The next one begins while answers for this one are held: it was given up.
            after = await create(data, symbols=[exchange.symbols[0]])

            async def has_begun() -> bool:
                return (await found(data, after)).state == FetchState.FETCH_STATE_RUNNING

            await until(has_begun)
            go_on.set()
            await ended(data, after)
    assert cancelled.fetch.state == FetchState.FETCH_STATE_CANCELLED
    assert (await found(data, fetch_id)).progress.done_count < 20
