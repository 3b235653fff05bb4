"""What a follower needs, or the follower itself, is stopped in the middle of a round: it ends right."""

from pathlib import Path
from typing import get_args

import pytest

from backcast.marketdata.v1 import feed_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2 as market_pb
from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.times import utc
from services.domain.errors import Unavailable
from services.rpc.channel import open_channel
from tests.feed.feed_process import FeedProcess
from tests.feed.fetching import Store
from tests.feed.following.conftest import DataService
from tests.feed.following.feeds import START_S, FollowedExchange
from tests.feed.stand_in import HOUR_S, serving
from tests.feed.stopped_services import Stopped, stopped_services
from tests.folders import new_folder
from tests.waiting import LIMIT_S, until

# More than are asked for at once: some candles are written before the last ones are asked for.
BASES = tuple(f"A{number:02}" for number in range(20))
# A request for the pairs, and those for the candles of eight cryptos: the next one follows a write.
AFTER_A_WRITE = 1 + 8 + 1
SAID = {"data service": "the data service does not answer", "database": "the database "}


@pytest.mark.parametrize("stopped", get_args(Stopped))
async def test_a_round_that_was_broken_off_is_made_up_for(short_folder: Path, stopped: Stopped) -> None:
    exchange = FollowedExchange(*BASES)
    async with (
        stopped_services(new_folder(short_folder, "stops")) as services,
        open_channel(services.address) as channel,
    ):
        with serving(exchange.stand_in):
            async with exchange.rounds(channel) as rounds:
                assert (await anext(rounds)).is_done
                last = len(exchange.stand_in.asked) + AFTER_A_WRITE
                exchange.stand_in.on_request = lambda number: (
                    services.stop(stopped) if number == last else None
                )
                away = [await anext(rounds) for _ in range(4)]
                assert all(isinstance(each.error, Unavailable) for each in away)
                assert all(str(each.error).startswith(SAID[stopped]) for each in away)
                assert [each.attempt for each in away] == list(range(4))
                await services.start(stopped)
                await channel.channel_ready()
                back = await anext(rounds)
                assert (back.failure, back.hour_s, back.is_done) == ("", START_S + 100 * HOUR_S, True)
        store = Store(MarketDataServiceStub(channel), "binance")
        for symbol in exchange.symbols:
            assert await exchange.is_stored(store, symbol, 0, 101)
        (feed,) = (await FeedServiceStub(channel).ListFeeds(pb.ListFeedsRequest())).feeds
        assert (feed.newest_hour_time.seconds, feed.failed_count, feed.failure) == (back.hour_s, 0, "")


@pytest.mark.parametrize("number", [2, AFTER_A_WRITE, 1 + len(BASES)])
async def test_the_round_of_a_killed_process_is_done_by_the_next_one(
    data: DataService, short_folder: Path, number: int
) -> None:
    exchange = FollowedExchange(*BASES)
    stub, folder = MarketDataServiceStub(data.channel), new_folder(short_folder, "killed")

    def feed(name: str) -> FeedProcess:
        return FeedProcess(
            data.address,
            folder / name,
            exchange="binance",
            quote=exchange.quote,
            url=exchange.stand_in.base_url,
        )

    with serving(exchange.stand_in):
        killed = feed("killed")
        exchange.stand_in.on_request = lambda asked: killed.kill() if asked == number else None
        try:
            await until(killed.has_ended, 3 * LIMIT_S)
            listed = (await stub.ListCryptos(market_pb.ListCryptosRequest())).cryptos
            stored = sum(each.candle_count for each in listed if each.symbol in exchange.symbols)
            assert 0 < stored < 20 * 100 or number < AFTER_A_WRITE
            waiting = feed("waiting")
            try:
                left = await waiting.record(event="round left to another follower")
                assert left["hour"] == utc(START_S + 99 * HOUR_S)
                assert str(left["until"]).endswith("UTC")
            finally:
                waiting.process.stop(10)
            await data.age_lease(exchange.quote)
            again = feed("again")
            try:
                done = await again.record(event="round ended")
            finally:
                again.process.stop(10)
        finally:
            killed.process.stop(10)
    assert (done["level"], done["cryptos"], done["failed"]) == ("info", 20, 0)
    assert done["inserted"] <= 20 * 100 - stored
    for symbol in exchange.symbols:
        assert await exchange.is_stored(Store(stub, "binance"), symbol, 0, 100)
    recorded = await data.feed(exchange.quote)
    assert (recorded.newest_hour_time.seconds, recorded.failure) == (START_S + 99 * HOUR_S, "")
