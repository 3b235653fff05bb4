"""Feeds for tests: an exchange that quotes in a currency of its own, and followers of it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import count

import grpc

from backcast_engine.candles import Candles
from services.feed.client import ExchangeClient
from services.feed.clock import Clock
from services.feed.data_client import DataClient
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.feed.feed_round import Round
from services.feed.follow import Follower
from services.feed.spans import Span
from tests.feed.fetching import Store, closed, rows
from tests.feed.stand_in import HOUR_S, Served, StandIn
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record

START_S = 1_700_002_800  # 2023-11-14 23:00 UTC
_numbers = count()


def new_quote() -> str:
    """Return a quote currency of four letters that no other test has."""
    number = next(_numbers)
    return f"Q{chr(65 + number // 26)}{chr(65 + number % 26)}Z"


def made_records(hours: int) -> dict[int, Record]:
    """Return candles whose values identify their hours, by opening time."""
    return {
        START_S + HOUR_S * hour: (
            START_S + HOUR_S * hour,
            f"{hour + 10}.5",
            f"{hour + 12}",
            f"{hour + 9}.25",
            f"{hour + 11}",
            f"{hour}.125",
        )
        for hour in range(hours)
    }


def name_of(exchange: str, symbol: str) -> str:
    """Return the exchange's name of a symbol that ends with a quote currency of four letters."""
    base, quote = symbol[:-4], symbol[-4:]
    return {"okx": f"{base}-{quote}", "coinbase": f"{base}-{quote}"}.get(exchange, symbol)


class FollowedExchange:
    """An exchange with pairs of one quote currency, of which it has `hours` candles; its clock is virtual."""

    def __init__(
        self, *bases: str, hours: int = 3000, at_hour: float = 100, exchange: str = "binance", **more: object
    ) -> None:
        self.quote = new_quote()
        self.symbols = [f"{base}{self.quote}" for base in bases or ("AAA", "BBB")]
        self.clock = VirtualClock(START_S + at_hour * HOUR_S + 20)
        served = {name_of(exchange, symbol): Served("", made_records(hours)) for symbol in self.symbols}
        self.stand_in = StandIn(EXCHANGES[exchange], self.clock, served, **more)

    def served(self, symbol: str) -> Served:
        """Return what is served under a symbol."""
        return self.stand_in.served[name_of(self.stand_in.exchange.name, symbol)]

    def correct(self, symbol: str, hour: int) -> None:
        """Change a candle."""
        time_s = START_S + hour * HOUR_S
        _, open_, high, low, close, _ = self.served(symbol).records[time_s]
        self.served(symbol).records[time_s] = (time_s, open_, high, low, close, "777")

    def set_hour(self, hour: float) -> None:
        """Move the clock to so many hours after the first candle, and twenty seconds."""
        self.clock.set(START_S + hour * HOUR_S + 20)

    @property
    def first_hours(self) -> list[int]:
        """The first hours of the requests for candles so far, which are forgotten then."""
        windows = self.stand_in.windows()
        self.stand_in.asked.clear()
        return [(first_s - START_S) // HOUR_S for first_s, _ in windows]

    @asynccontextmanager
    async def follower(
        self, channel: grpc.aio.Channel, name: str = "one", clock: Clock | None = None
    ) -> AsyncIterator[Follower]:
        """Lend a follower, whose clock is the exchange's or another one."""
        exchange, clock = self.stand_in.exchange, clock or self.clock
        async with ExchangeClient(exchange, clock, self.stand_in.base_url) as client:
            store = DataClient(channel, "data", exchange.name, self.quote, name)
            yield Follower(client, self.quote, store, clock, jitter=lambda: 0.0)

    @asynccontextmanager
    async def rounds(
        self, channel: grpc.aio.Channel, name: str = "one"
    ) -> AsyncIterator[AsyncGenerator[Round]]:
        """Lend the rounds of a new follower."""
        async with self.follower(channel, name) as follower, aclosing(follower.rounds()) as rounds:
            yield rounds

    async def is_stored(self, store: Store, symbol: str, first: int, end: int) -> bool:
        """Return whether the stored candles are those that it has now, from one hour to another."""
        span = Span(START_S + first * HOUR_S, START_S + end * HOUR_S)
        records = list(self.served(symbol).records.values())
        stored: Candles = await store.candles(symbol)
        return rows(stored) == closed(records, span.end_s, span)
