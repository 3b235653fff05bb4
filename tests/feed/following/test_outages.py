"""While the exchange or the data service is away, a follower says so, and makes up for it afterwards."""

from collections import deque
from collections.abc import AsyncIterator

import pytest

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.domain.errors import Unavailable
from services.feed.errors import Banned, Forbidden, Unanswered
from services.rpc.channel import open_channel
from tests.end_to_end.line import Line
from tests.feed.fetching import Store
from tests.feed.following.broken_writes import broken_writes
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange
from tests.feed.stand_in import HOUR_S, Served, serving


@pytest.fixture
async def store(data: DataService) -> AsyncIterator[Store]:
    yield Store(MarketDataServiceStub(data.channel), "binance")


async def test_the_data_service_may_be_away_for_hours(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    async with Line(data.address) as line, open_channel(line.address) as channel:
        with serving(exchange.stand_in):
            async with exchange.follower(channel) as follower:
                rounds = follower.rounds()
                assert (await anext(rounds)).is_done
                line.down = True
                line.cut()
                away = [await anext(rounds) for _ in range(20)]
                assert all(isinstance(each.error, Unavailable) for each in away)
                assert "data service" in str(away[0].error)
                # After 1, 3 and 10 minutes, and then every ten minutes.
                assert [each.attempt for each in away[:8]] == list(range(8))
                assert follower.lag_s > 2 * HOUR_S
                line.down = False
                back = await anext(rounds)
                while not back.is_done:
                    back = await anext(rounds)
                await rounds.aclose()
    assert (back.failed, back.error) == ({}, None)
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, (back.hour_s - START_S) // HOUR_S + 1)


async def test_the_exchange_may_be_away(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            exchange.stand_in.faults = deque(["503"] * 10)
            outcomes = [await anext(rounds) for _ in range(3)]
    assert [type(each.error) for each in outcomes] == [Unanswered, Unanswered, type(None)]
    assert str(outcomes[0].error).startswith("Binance was asked 5 times without a usable answer")
    assert (outcomes[2].inserted, outcomes[2].is_done) == (2, True)
    assert exchange.clock.now_s() == START_S + 101 * HOUR_S + 20 + 180
    feed = await data.feed(exchange.quote)
    assert (feed.failure_count, feed.failure) == (2, "")


async def test_one_crypto_that_fails_holds_up_no_other(data: DataService, store: Store) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            # Listed, and yet unknown.
            failing = exchange.symbols[1]
            served = exchange.stand_in.served.pop(failing)
            listed = exchange.stand_in.served
            exchange.stand_in.served = HiddenFromCandles(listed, failing, served)
            first, second = await anext(rounds), await anext(rounds)
            feed = await data.feed(exchange.quote)
            assert (feed.failed_count, feed.newest_hour_time.seconds) == (1, START_S + 99 * HOUR_S)
            assert feed.failure == f"{failing}: Binance does not know it: 'Invalid symbol.'"
            exchange.stand_in.served = {**listed, failing: served}
            third = await anext(rounds)
    assert (first.inserted, list(first.failed), first.is_done) == (2, [failing], False)
    assert (second.asked_count, list(second.failed)) == (1, [failing])
    assert (third.asked_count, third.inserted, third.is_done) == (1, 1, True)
    assert (await data.feed(exchange.quote)).newest_hour_time.seconds == START_S + 100 * HOUR_S


async def test_a_crypto_that_the_database_does_not_write_fails_until_it_does(
    data: DataService, store: Store
) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    failing = exchange.symbols[1]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            async with broken_writes(data, failing, "query_canceled"):
                first = await anext(rounds)
            second = await anext(rounds)
    reason = "its candles were not written in 120 s: the database took too long"
    assert (first.inserted, first.failed, first.is_done) == (2 * 100, {failing: reason}, False)
    assert (second.asked_count, second.inserted, second.is_done) == (1, 100, True)
    assert (second.hour_s, second.attempt) == (first.hour_s, 1)
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 100)


async def test_pairs_whose_symbols_are_none_are_left_out(data: DataService, store: Store) -> None:
    exchange = FollowedExchange("AAA", "bbb", "C\0C")
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            outcome = await anext(rounds)
    assert (outcome.asked_count, outcome.inserted, outcome.failed, outcome.is_done) == (1, 100, {}, True)
    feed = await data.feed(exchange.quote)
    assert feed.left_out_count == 2
    assert feed.failure == "left out: " + "; ".join(
        f"{symbol!r} of Binance is not a symbol that Backcast knows" for symbol in exchange.symbols[:0:-1]
    )
    assert await exchange.is_stored(store, exchange.symbols[0], 0, 100)


class HiddenFromCandles(dict[str, Served]):
    """Markets of which one is in the list, and unknown where candles are asked for."""

    def __init__(self, others: dict[str, Served], name: str, served: Served) -> None:
        super().__init__({**others, name: served})
        self._name = name

    def __contains__(self, name: object) -> bool:
        return name != self._name and super().__contains__(name)


async def test_a_ban_is_waited_for(data: DataService) -> None:
    exchange = FollowedExchange("AAA")
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            exchange.stand_in.faults = deque(["418"])
            banned, after = await anext(rounds), await anext(rounds)
    assert isinstance(banned.error, Banned)
    assert (after.error, after.inserted, after.is_done) == (None, 1, True)
    assert exchange.clock.now_s() == START_S + 101 * HOUR_S + 20 + 300


async def test_a_follower_that_is_refused_from_the_start_tries_again(data: DataService) -> None:
    exchange = FollowedExchange("AAA")
    exchange.stand_in.faults = deque(["451", "451"])
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            outcomes = [await anext(rounds) for _ in range(3)]
    assert [type(each.error) for each in outcomes] == [Forbidden, Forbidden, type(None)]
    assert str(outcomes[0].error) == "Binance refuses to answer this machine, with status 451"
    assert (outcomes[2].inserted, outcomes[2].is_done) == (100, True)


async def test_what_has_ended_is_remembered_while_the_exchange_is_away(data: DataService) -> None:
    exchange = FollowedExchange()
    ending = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            exchange.served(ending).is_traded = False
            assert (await anext(rounds)).newly_ended == [ending]
            exchange.stand_in.faults = deque(["503"] * 5)
            assert isinstance((await anext(rounds)).error, Unanswered)
            assert list((await data.feed(exchange.quote)).ended_symbols) == [ending]
            assert (await anext(rounds)).newly_ended == []
