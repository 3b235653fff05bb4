"""How long a round of following takes, beside a floor: the same requests, of which nothing is written."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass

import grpc

from services.feed.client import MOST_REQUESTS, ExchangeClient
from services.feed.clock import SystemClock
from services.feed.data_client import DataClient, follower_name
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.feed_round import Round
from services.feed.fetch import OVERLAP_S
from services.feed.follow import Follower

_HOUR_S = 3600
_MINUTE_S = 60


class _LateClock(SystemClock):
    """A clock that is an hour behind."""

    def now_s(self) -> float:
        """Return the time in Unix seconds, an hour ago."""
        return super().now_s() - _HOUR_S


@dataclass(frozen=True, slots=True)
class Followed:
    """Two rounds and the floor, in seconds.

    `recheck_s` is that of a round that asks for 30 days, `round_s` that of the round of the next hour.
    """

    recheck_s: float
    round_s: float
    floor_s: float
    outcome: Round


async def followed(channel: grpc.aio.Channel, url: str) -> Followed:
    """Follow an exchange whose pairs are stored up to the newest hour but one, as a feed process does."""
    # A new minute of the exchange's: nothing waits for the weight that was used before.
    await asyncio.sleep(_MINUTE_S - time.time() % _MINUTE_S)
    recheck_s, _ = await _round(channel, url, _LateClock())
    round_s, outcome = await _round(channel, url, SystemClock())
    return Followed(recheck_s, round_s, await _floor(url), outcome)


async def _round(channel: grpc.aio.Channel, url: str, clock: SystemClock) -> tuple[float, Round]:
    """Return the seconds and the outcome of the first round of a new follower."""
    async with ExchangeClient(EXCHANGES["binance"], clock, url) as client:
        store = DataClient(channel, "data", "binance", "USDT", follower_name())
        async with aclosing(Follower(client, "USDT", store, clock).rounds()) as rounds:
            begin_s = time.monotonic()
            outcome = await anext(rounds)
            return time.monotonic() - begin_s, outcome


async def _floor(url: str) -> float:
    """Return the seconds of the requests alone: the list of pairs, and 48 hours of each."""
    turns = asyncio.Semaphore(MOST_REQUESTS)
    async with ExchangeClient(EXCHANGES["binance"], SystemClock(), url) as client:

        async def ask(market: ExchangeMarket, end_s: int) -> None:
            async with turns:
                await client.candles(market, end_s - OVERLAP_S, end_s)

        begin_s = time.monotonic()
        markets = await client.markets()
        end_s = int(client.now_s()) // _HOUR_S * _HOUR_S
        await asyncio.gather(*(ask(market, end_s) for market in markets))
        return time.monotonic() - begin_s
