"""One of several followers has the lease of an hour, and one that died is replaced."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from threading import Event

import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.feed.data_client import DataClient
from services.feed.feed_round import Round
from tests.feed.fetching import Store
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange
from tests.feed.stand_in import HOUR_S, serving
from tests.waiting import LIMIT_S


@pytest.fixture
async def store(data: DataService) -> AsyncIterator[Store]:
    yield Store(MarketDataServiceStub(data.channel), "binance")


async def ended(rounds: AsyncGenerator[Round]) -> Round:
    """Return the outcome of an hour; who has to wait for the other one says so before."""
    async with asyncio.timeout(LIMIT_S):
        while not (outcome := await anext(rounds)).is_done:
            assert outcome.is_left
        return outcome


async def test_two_followers_share_the_hours(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    outcomes: list[Round] = []
    with serving(exchange.stand_in):
        async with (
            exchange.rounds(data.channel, "one") as one,
            exchange.rounds(data.channel, "other") as other,
        ):
            for hour in range(6):
                exchange.set_hour(100 + hour)
                outcomes += await asyncio.gather(ended(one), ended(other))
    for hour in range(6):
        of_hour = [each for each in outcomes if each.hour_s == START_S + (99 + hour) * HOUR_S]
        assert sorted(each.is_left for each in of_hour) == [False, True]
        (done,) = (each for each in of_hour if not each.is_left)
        assert (done.asked_count, done.is_done) == (2, True)
    # The list of pairs is asked for by each follower, the candles by one of them.
    assert len(exchange.first_hours) == 12
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 105)
    assert (await data.feed(exchange.quote)).inserted_count == 2 * 105


async def test_the_lease_of_a_follower_that_died_is_taken_after_ten_minutes(
    data: DataService, store: Store
) -> None:
    exchange = FollowedExchange()
    died = DataClient(data.channel, "data", "binance", exchange.quote, "died")
    assert (await died.take_lease(START_S + 99 * HOUR_S)).is_taken
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel, "other") as other:
            left = await anext(other)
            assert (left.is_left, left.is_done) == (True, False)
            assert 0 < left.left_until_s - exchange.clock.now_s() <= 600
            await data.age_lease(exchange.quote)
            outcome = await anext(other)
    assert (outcome.hour_s, outcome.inserted, outcome.is_done) == (START_S + 99 * HOUR_S, 200, True)
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 100)


async def test_the_hour_of_a_follower_that_stops_is_taken_at_once(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    loop, go_on = asyncio.get_running_loop(), Event()

    def stop(number: int) -> None:
        # The first request is for the list of pairs.
        if number > 1:
            loop.call_soon_threadsafe(stopping.cancel)
            go_on.wait(LIMIT_S)

    exchange.stand_in.on_request = stop
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel, "one") as one:
            stopping = asyncio.ensure_future(anext(one))
            await asyncio.wait([stopping])
            assert stopping.cancelled()
        exchange.stand_in.on_request = None
        go_on.set()
        async with exchange.rounds(data.channel, "other") as other:
            outcome = await anext(other)
    assert (outcome.is_left, outcome.inserted, outcome.is_done) == (False, 200, True)
    assert exchange.clock.now_s() == START_S + 100 * HOUR_S + 20
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 100)


async def test_a_follower_that_waits_takes_the_hour_of_one_that_stops(data: DataService) -> None:
    exchange = FollowedExchange()
    stopping = DataClient(data.channel, "data", "binance", exchange.quote, "stopping")
    assert (await stopping.take_lease(START_S + 99 * HOUR_S)).is_taken
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel, "other") as other:
            assert (await anext(other)).is_left
            await stopping.release()
            outcome = await anext(other)
    assert (outcome.is_left, outcome.inserted, outcome.is_done) == (False, 200, True)
    assert exchange.clock.now_s() == START_S + 100 * HOUR_S + 20 + 10


async def test_a_follower_that_is_started_again_leaves_a_round_that_is_done(data: DataService) -> None:
    exchange = FollowedExchange()
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel, "one") as rounds:
            assert (await anext(rounds)).is_done
        exchange.stand_in.asked.clear()
        async with exchange.follower(data.channel, "again") as follower:
            rounds = follower.rounds()
            assert (await anext(rounds)).is_left
            assert exchange.first_hours == []
            # It knows how current the candles are.
            assert follower.lag_s == 20
            second = await anext(rounds)
            assert (second.is_left, second.asked_count) == (False, 2)
            await rounds.aclose()
