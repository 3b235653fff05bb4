"""Each hour, a follower brings the newest candle of every crypto, corrections, and what was missed."""

from collections.abc import AsyncIterator

import pytest

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import InvalidInput
from services.feed.client import ExchangeClient
from services.feed.spans import Span
from services.imports.candle_writer import FetchedFrom, write_candles
from tests.candle_making import random_candles
from tests.feed.fetching import Store, fetch
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange, made_records
from tests.feed.stand_in import HOUR_S, Served, serving


@pytest.fixture
async def store(data: DataService) -> AsyncIterator[Store]:
    yield Store(MarketDataServiceStub(data.channel), "binance")


async def test_a_round_asks_once_for_each_of_211_cryptos(data: DataService, store: Store) -> None:
    bases = [f"A{number:03}" for number in range(211)]
    exchange = FollowedExchange(*bases, hours=70, at_hour=60)
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            first = await anext(rounds)
            assert (first.failure, first.missing) == ("", [])
            assert (first.crypto_count, first.inserted, first.is_done) == (211, 211 * 60, True)
            # What there is within one answer.
            assert exchange.first_hours == [60 - 1000] * 211

            second = await anext(rounds)
            assert (second.failure, second.missing) == ("", [])
            assert (second.hour_s, second.attempt) == (START_S + 60 * HOUR_S, 0)
            assert (second.inserted, second.corrected, second.is_done) == (211, 0, True)
            # 47 hours before the newest candle.
            assert exchange.first_hours == [59 - 47] * 211
    assert exchange.clock.now_s() == START_S + 61 * HOUR_S + 20
    for symbol in exchange.symbols[::70]:
        assert await exchange.is_stored(store, symbol, 0, 61)
    feed = await data.feed(exchange.quote)
    assert feed.newest_hour_time.seconds == START_S + 60 * HOUR_S
    assert (feed.crypto_count, feed.inserted_count, feed.failure) == (211, 211 * 61, "")
    assert max(exchange.stand_in.weights.values()) == 211 * 2 + 20


@pytest.mark.parametrize("name", ["okx", "bybit", "coinbase", "kraken"])
async def test_the_other_exchanges_are_followed_too(data: DataService, name: str) -> None:
    exchange = FollowedExchange(hours=300, exchange=name)
    if name == "kraken":
        # Its names say less.
        exchange.symbols = ["AAAQKZ"]
        exchange.quote = "QKZ"
        exchange.stand_in.served = {"XAAAZQKZ": Served("", made_records(300))}
    store = Store(MarketDataServiceStub(data.channel), name)
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            first, second = await anext(rounds), await anext(rounds)
    assert (first.is_done, second.is_done) == (True, True)
    assert (second.inserted, second.corrected) == (len(exchange.symbols), 0)
    (crypto,) = (
        await MarketDataServiceStub(data.channel).ListCryptos(
            pb.ListCryptosRequest(symbols=exchange.symbols[:1])
        )
    ).cryptos
    assert crypto.source == name
    candles = await store.candles(exchange.symbols[0])
    assert candles.open_time_s[-1] == START_S + 100 * HOUR_S


async def test_a_correction_of_two_days_replaces_the_whole_candle(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    symbol = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            exchange.correct(symbol, 53)
            second = await anext(rounds)
    assert (second.inserted, second.corrected) == (2, 1)
    assert await exchange.is_stored(store, symbol, 0, 101)
    assert (await data.feed(exchange.quote)).corrected_count == 1


async def test_a_correction_of_the_last_30_days_is_found_within_a_week(
    data: DataService, store: Store
) -> None:
    exchange = FollowedExchange("AAA", at_hour=900)
    symbol = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            assert (await anext(rounds)).is_recheck
            exchange.correct(symbol, 500)
            outcomes = [await anext(rounds) for _ in range(7 * 24)]
    assert [each.hour_s for each in outcomes if each.is_recheck] == [START_S + (899 + 168) * HOUR_S]
    assert [each.corrected for each in outcomes] == [0] * 167 + [1]
    # Still one request.
    assert exchange.first_hours[-2:] == [899 + 166 - 47, 899 + 168 - 720]
    assert await exchange.is_stored(store, symbol, 0, 900 + 168)


async def test_40_days_of_absence_are_healed_in_the_next_round(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
        exchange.set_hour(100 + 40 * 24)
        async with exchange.rounds(data.channel, "another") as rounds:
            healed = await anext(rounds)
    assert (healed.inserted, healed.is_done) == (2 * 960, True)
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, 1060)


async def test_the_history_that_was_fetched_before_is_continued(data: DataService, store: Store) -> None:
    exchange = FollowedExchange("AAA", at_hour=2000)
    symbol = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with ExchangeClient(
            exchange.stand_in.exchange, exchange.clock, exchange.stand_in.base_url
        ) as client:
            (market,) = await client.markets()
        await fetch(exchange.stand_in, store, market, Span(START_S, START_S + 500 * HOUR_S))
        exchange.stand_in.asked.clear()
        async with exchange.rounds(data.channel) as rounds:
            outcome = await anext(rounds)
    assert outcome.inserted == 1500
    assert await exchange.is_stored(store, symbol, 0, 2000)


async def test_an_imported_history_is_continued_if_it_agrees(data: DataService, store: Store) -> None:
    exchange = FollowedExchange("AAA", "BBB", at_hour=1000)
    agreeing, other = exchange.symbols
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel, "maker") as rounds:
            await anext(rounds)
        candles = await store.candles(agreeing)
        stub = MarketDataServiceStub(data.channel)
        for symbol in exchange.symbols:
            await stub.DeleteCrypto(pb.DeleteCryptoRequest(symbol=symbol))
        await write_candles(stub, agreeing, candles[:900])
        await write_candles(stub, other, random_candles(1, 900, START_S))
        exchange.set_hour(1001)
        async with exchange.rounds(data.channel) as rounds:
            outcome = await anext(rounds)
    assert (outcome.inserted, outcome.is_done, outcome.crypto_count) == (101, True, 2)
    assert list(outcome.left_out) == [other]
    assert "stored hours would change" in outcome.left_out[other]
    feed = await data.feed(exchange.quote)
    assert feed.newest_hour_time.seconds == START_S + 1000 * HOUR_S
    assert (feed.left_out_count, feed.failed_count, feed.failure_count) == (1, 0, 0)
    assert feed.failure.startswith("left out: ")


async def test_candles_of_others_are_left_out(data: DataService, store: Store) -> None:
    exchange = FollowedExchange("AAA", "BBB", "CCC")
    made_up, of_another, good = exchange.symbols
    stub = MarketDataServiceStub(data.channel)
    await write_candles(stub, made_up, random_candles(1, 50), synthetic=True)
    fetched = FetchedFrom("okx", START_S, START_S + 50 * HOUR_S)
    await write_candles(stub, of_another, random_candles(2, 50, START_S), fetched=fetched)
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            outcome = await anext(rounds)
    assert outcome.left_out == {
        made_up: f"{made_up} has synthetic candles: market ones cannot be mixed in",
        of_another: f"{of_another} has candles of okx: those of binance cannot be mixed in",
    }
    assert (outcome.crypto_count, outcome.inserted, outcome.is_done) == (1, 100, True)
    assert await exchange.is_stored(store, good, 0, 100)


async def test_what_stops_trading_is_fetched_once_more_and_has_ended(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    ending, other = exchange.symbols
    served = exchange.served(ending)
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            # It stops half an hour later.
            served.is_traded = False
            served.records = {
                time_s: each for time_s, each in served.records.items() if time_s < START_S + 101 * HOUR_S
            }
            second = await anext(rounds)
            assert (second.inserted, second.newly_ended, second.is_done) == (2, [ending], True)
            exchange.stand_in.asked.clear()
            third = await anext(rounds)
            assert (third.inserted, third.newly_ended, third.is_done) == (1, [], True)
            assert len(exchange.first_hours) == 1
            assert list((await data.feed(exchange.quote)).ended_symbols) == [ending]

            served.is_traded = True
            served.records = made_records(3000)
            fourth = await anext(rounds)
            assert (fourth.crypto_count, fourth.is_done) == (2, True)
    assert list((await data.feed(exchange.quote)).ended_symbols) == []
    for symbol in (ending, other):
        assert await exchange.is_stored(store, symbol, 0, 103)


async def test_what_leaves_the_list_is_asked_for_once_more_by_who_knew_it(data: DataService) -> None:
    exchange = FollowedExchange()
    leaving = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            # The exchange does not know it any more.
            del exchange.stand_in.served[leaving]
            exchange.stand_in.asked.clear()
            outcome = await anext(rounds)
    assert (outcome.newly_ended, outcome.failed, outcome.is_done) == ([leaving], {}, True)
    assert len(exchange.first_hours) == 2


async def test_what_has_left_the_list_before_has_ended(data: DataService) -> None:
    exchange = FollowedExchange()
    leaving = exchange.symbols[0]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
        del exchange.stand_in.served[leaving]
        exchange.stand_in.asked.clear()
        exchange.set_hour(101)
        async with exchange.rounds(data.channel, "another") as rounds:
            outcome = await anext(rounds)
    assert (outcome.newly_ended, outcome.crypto_count, outcome.is_done) == ([leaving], 1, True)
    assert len(exchange.first_hours) == 1


async def test_a_candle_that_comes_late_is_asked_for_again(data: DataService, store: Store) -> None:
    exchange = FollowedExchange()
    late = exchange.symbols[0]
    served, hour_s = exchange.served(late), START_S + 100 * HOUR_S
    record = served.records.pop(hour_s)
    later = {time_s: served.records.pop(time_s) for time_s in list(served.records) if time_s > hour_s}

    def publish(_: int) -> None:
        if exchange.clock.now_s() >= START_S + 101 * HOUR_S + 180:
            served.records |= {hour_s: record, **later}

    exchange.stand_in.on_request = publish
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
            outcomes = [await anext(rounds) for _ in range(3)]
    assert [each.missing for each in outcomes] == [[late], [late], []]
    assert [each.asked_count for each in outcomes] == [2, 1, 1]
    assert [each.is_done for each in outcomes] == [False, False, True]
    assert exchange.clock.now_s() == START_S + 101 * HOUR_S + 20 + 180
    assert await exchange.is_stored(store, late, 0, 101)


async def test_an_hour_without_a_candle_is_asked_for_three_times_more(data: DataService) -> None:
    exchange = FollowedExchange("AAA")
    del exchange.served(exchange.symbols[0]).records[START_S + 99 * HOUR_S]
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            times_s = []
            for _ in range(5):
                outcome = await anext(rounds)
                times_s.append(exchange.clock.now_s() - START_S - 100 * HOUR_S - 20)
    assert times_s == [0, 60, 180, 600, HOUR_S]
    assert (outcome.attempt, outcome.is_done) == (0, True)
    assert (await data.feed(exchange.quote)).newest_hour_time.seconds == START_S + 100 * HOUR_S


@pytest.mark.parametrize("ahead_s", [-300, 300])
async def test_a_candle_is_closed_if_both_clocks_say_so(
    data: DataService, store: Store, ahead_s: int
) -> None:
    exchange = FollowedExchange(ahead_s=ahead_s)
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            outcomes = [await anext(rounds) for _ in range(3)]
    # It begins in the first minute of an hour, by this machine's clock.
    first = 98 if ahead_s < 0 else 99
    assert [(each.hour_s - START_S) // HOUR_S for each in outcomes] == [first, first + 1, first + 2]
    assert all(each.is_done and each.attempt == 0 for each in outcomes)
    assert exchange.clock.now_s() == START_S + (first + 3) * HOUR_S + 20 - min(ahead_s, 0)
    for symbol in exchange.symbols:
        assert await exchange.is_stored(store, symbol, 0, first + 3)


async def test_hours_that_kraken_has_dropped_are_reported(data: DataService) -> None:
    exchange = FollowedExchange("AAA", exchange="kraken", hours=2000)
    exchange.quote = "QKY"
    exchange.stand_in.served = {"XAAAZQKY": Served("", made_records(2000))}
    with serving(exchange.stand_in):
        async with exchange.rounds(data.channel) as rounds:
            await anext(rounds)
        exchange.set_hour(100 + 800)
        async with exchange.rounds(data.channel, "another") as rounds:
            outcome = await anext(rounds)
    assert outcome.lost_hours == {"AAAQKY": 800 - 718}
    assert (outcome.inserted, outcome.is_done) == (718, True)


async def test_a_currency_that_the_exchange_does_not_quote_is_refused(data: DataService) -> None:
    exchange = FollowedExchange()
    exchange.quote = "XYZ"
    with serving(exchange.stand_in):
        async with exchange.follower(data.channel) as follower:
            with pytest.raises(InvalidInput, match=r"^quote: Binance quotes nothing in XYZ"):
                await anext(follower.rounds())
