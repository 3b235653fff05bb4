"""Follows a feed: each hour, fetches the newest candles of all pairs of a quote currency, and corrections.

One request a crypto, from 47 hours before its newest candle: on most exchanges it counts as much as one for a
single candle, brings the corrections of two days, and makes up for weeks of absence. Each week, the last 30
days are asked for once more. Of several followers, the one that has the lease of an hour does its round.
"""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast_engine.errors import BackcastError, InvalidInput
from backcast_engine.interval import Interval
from services.feed.client import ExchangeClient
from services.feed.clock import Clock
from services.feed.errors import Banned, Conflicting, Unanswered, Unwritten
from services.feed.exchanges.exchange import ExchangeMarket
from services.feed.feed_round import FeedLease, FeedState, Round
from services.feed.fetch import OVERLAP_S, CryptoReport, Write, fetch_all
from services.feed.last_call import last_call
from services.feed.markets import with_quote, without_unstorable
from services.feed.metrics import CANDLES, CRYPTOS, FAILURES, watch_feed
from services.feed.spans import Span
from services.feed.writing import spans_asked

_HOUR = Interval.HOUR_1
_HOUR_S = _HOUR.seconds
# After the end of an hour, so that the exchange has closed its candles; and at random, so that not all
# followers of the world ask in the same second.
_SETTLED_S, _JITTER_S = 20.0, 10.0
# After the first attempt. What is missing then is an hour without a candle; what fails is tried on.
_AGAIN_AFTER_S = (60.0, 180.0, 600.0)
_RECHECK_S, _RECHECK_EVERY_S = 30 * 86_400, 7 * 86_400
# A list of all pairs can be 20 MB.
_LISTED_FOR_S = 900.0
# How often a follower asks whether the one that has the hour has done it, or has given it back.
_ASK_EVERY_S = 10.0
# The longest sleep: a machine that was suspended must notice how late it is.
_NAP_S = 60.0


class FollowedFeed(Protocol):
    """What is stored of a feed; see DataClient."""

    write: Write

    async def cryptos(self) -> dict[str, Crypto]:
        """Return all cryptos that have candles, by symbol."""

    async def take_lease(self, hour_s: int) -> FeedLease:
        """Take the lease of the hour that opens at `hour_s`, or return why not."""

    async def record(self, outcome: Round) -> FeedState:
        """Record the outcome of a round."""

    async def release(self) -> None:
        """Say that this follower stops: another one may take up at once the hour that it has not done."""


@dataclass(slots=True)
class _HourWork:
    """What is left to do for an hour, None at first, and what was done of it and is not recorded yet."""

    left: set[str] | None = None
    crypto_count: int = 0
    is_recheck: bool = False
    left_out: dict[str, str] = field(default_factory=dict)
    inserted: int = 0
    corrected: int = 0


class Follower:
    """Follows all pairs of a quote currency on the exchange of `client`.

    `jitter` returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        client: ExchangeClient,
        quote: str,
        store: FollowedFeed,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._quote = quote.strip().upper()
        self._store = store
        self._clock = clock
        self._jitter = jitter
        self._began_s = clock.now_s()
        self._newest_s: int | None = None
        self._markets: dict[str, ExchangeMarket] = {}
        # Those of earlier lists, too: what has left the list is asked for once more.
        self._known: dict[str, ExchangeMarket] = {}
        self._listed_s = 0.0
        exchange = client.exchange
        watch_feed(
            exchange.name, self._quote, exchange.limit.weight, lambda: client.pace.used, lambda: self.lag_s
        )

    @property
    def lag_s(self) -> float:
        """Seconds since the end of the newest hour up to which every crypto was asked for.

        Without such an hour, seconds since this follower began.
        """
        since_s = self._began_s if self._newest_s is None else self._newest_s + _HOUR_S
        return max(self._clock.now_s() - since_s, 0.0)

    async def rounds(self) -> AsyncGenerator[Round]:
        """Follow for ever; yield the outcome of each round, also of one that failed.

        The first round is that of the newest closed hour, at once. Raises InvalidInput if the exchange quotes
        nothing in the currency. At its end, it gives back the hour that it has not done.
        """
        try:
            async with aclosing(self._meet()) as failures:
                async for failed in failures:
                    yield failed
            while True:
                hour_s = self._newest_closed_s()
                end_s = hour_s + 2 * _HOUR_S + _SETTLED_S + _JITTER_S * self._jitter()
                error = None
                async with aclosing(self._rounds_of(hour_s, end_s)) as rounds:
                    async for each in rounds:
                        error = each.error
                        yield each
                await self._until(max(end_s, self._after(error, 0)))
        finally:
            await last_call(self._store.release())

    async def _meet(self) -> AsyncGenerator[Round]:
        """Ask for the pairs until there is an answer, which also gives the time of the exchange's clock."""
        for attempt in count():
            try:
                await self._list()
                return
            except InvalidInput:
                raise
            except BackcastError as error:
                FAILURES.labels(self._client.exchange.name, self._quote).inc()
                yield Round(self._newest_closed_s(), attempt, error=error)
                await self._until(self._after(error, min(60.0 * 2**attempt, _AGAIN_AFTER_S[-1])))

    async def _rounds_of(self, hour_s: int, end_s: float) -> AsyncGenerator[Round]:
        """Do the rounds of an hour until nothing is left, or until it is time for the next hour."""
        work, begin_s, attempt, was_left = _HourWork(), self._client.now_s(), 0, False
        while True:
            outcome, has_lease, again_s = Round(hour_s, attempt), False, 0.0
            try:
                lease = await self._store.take_lease(hour_s)
                self._newest_s = lease.feed.newest_s
                if lease.is_taken:
                    has_lease, outcome.ended = True, lease.feed.ended
                    if attempt == 0:
                        begin_s = self._client.now_s()
                    await self._ask(outcome, lease.feed, work)
                    await self._record(outcome, work)
                else:
                    again_s = self._leave(outcome, lease, end_s)
            except BackcastError as error:
                outcome.error = error
                if has_lease:
                    # It may be the exchange that is away.
                    with suppress(BackcastError):
                        await self._record(outcome, work)
            if not outcome.is_complete:
                FAILURES.labels(self._client.exchange.name, self._quote).inc()
            if outcome.is_done or not (outcome.is_left and was_left):
                yield outcome
            if outcome.is_done:
                return
            was_left = outcome.is_left
            if not outcome.is_left:
                again_s = max(self._after(outcome.error, 0), begin_s + _again_after_s(attempt))
                attempt += 1
            if again_s >= end_s:
                return
            await self._until(again_s)

    def _leave(self, outcome: Round, lease: FeedLease, end_s: float) -> float:
        """Leave a round to the follower that has the lease; return the time to ask for it again."""
        now_s = self._client.now_s()
        again_s = now_s + _ASK_EVERY_S
        outcome.is_left = True
        outcome.left_until_s = None if lease.is_done else now_s + lease.wait_s
        outcome.is_done = lease.is_done or again_s >= end_s
        return again_s

    async def _ask(self, outcome: Round, feed: FeedState, work: _HourWork) -> None:
        """Ask for the candles of the cryptos that are left, and write them."""
        await self._list()
        stored = await self._store.cryptos()
        all_traded = [
            market for market in self._markets.values() if market.is_traded and market.quote == self._quote
        ]
        storable, unstorable = without_unstorable(self._client.exchange, all_traded)
        traded = {market.symbol: market for market in storable}
        outcome.ended = feed.ended.difference(traded)
        stopped = self._stopped(stored, traded, outcome)
        if work.left is None:
            work.is_recheck = (
                feed.rechecked_s is None or outcome.hour_s - feed.rechecked_s >= _RECHECK_EVERY_S
            )
            work.left_out = unstorable | {
                symbol: reason
                for symbol in traded
                if symbol in stored and (reason := self._reason_against(stored[symbol]))
            }
            work.left = (traded.keys() | stopped.keys()) - work.left_out.keys()
            work.crypto_count = len(work.left)
        outcome.is_recheck = work.is_recheck
        wanted, asked = {}, {}
        for symbol in sorted(work.left):
            if (market := traded.get(symbol) or stopped.get(symbol)) is None:
                work.left.discard(symbol)
                continue
            crypto = stored.get(symbol)
            asked[symbol] = spans_asked(crypto, self._client.exchange.name) if crypto else []
            wanted[symbol] = market, self._wanted(symbol, crypto, asked[symbol], outcome)
        outcome.asked_count = len(wanted)
        overlap_s = _RECHECK_S if work.is_recheck else OVERLAP_S
        reports = fetch_all(self._client, wanted, asked, self._store.write, overlap_s=overlap_s)
        async with aclosing(reports):
            async for report in reports:
                self._note(report, report.symbol in stopped, outcome, work)

    def _stopped(
        self, stored: dict[str, Crypto], traded: dict[str, ExchangeMarket], outcome: Round
    ) -> dict[str, ExchangeMarket]:
        """Return the markets that are not traded any more, and have to be asked for once more.

        Those of which nothing but their candles is known have ended.
        """
        stopped = {}
        for symbol, crypto in stored.items():
            if crypto.source != self._client.exchange.name or symbol in traded or symbol in outcome.ended:
                continue
            market = self._known.get(symbol)
            if market and market.quote == self._quote:
                stopped[symbol] = market
            elif market is None and symbol.endswith(self._quote):
                self._end(symbol, outcome)
        return stopped

    def _reason_against(self, crypto: Crypto) -> str:
        """Return why a crypto cannot be continued with the exchange's candles; empty if it can."""
        name = self._client.exchange.name
        if crypto.synthetic:
            return f"{crypto.symbol} has synthetic candles: market ones cannot be mixed in"
        if crypto.source not in ("", name):
            return f"{crypto.symbol} has candles of {crypto.source}: those of {name} cannot be mixed in"
        return ""

    def _wanted(self, symbol: str, crypto: Crypto | None, asked: list[Span], outcome: Round) -> Span:
        """Return the hours that are asked for, without regard to those that were asked for before."""
        exchange, end_s = self._client.exchange, outcome.hour_s + _HOUR_S
        if asked:
            start_s = asked[-1].start_s
        elif crypto:
            # Imported: many hours that can be compared.
            start_s = crypto.last_candle_time.seconds - _RECHECK_S
        else:
            start_s = end_s - exchange.page_candles * _HOUR_S
        if exchange.kept_hours is None:
            return Span(start_s, end_s)
        # The exchange drops an hour while others are asked for.
        kept_s = end_s - (exchange.kept_hours - 1) * _HOUR_S
        known_s = (
            asked[-1].end_s if asked else crypto.last_candle_time.seconds + _HOUR_S if crypto else kept_s
        )
        if known_s < kept_s:
            outcome.lost_hours[symbol] = (kept_s - known_s) // _HOUR_S
        return Span(max(start_s, kept_s), end_s)

    def _note(self, report: CryptoReport, has_stopped: bool, outcome: Round, work: _HourWork) -> None:
        """Count the report of a crypto, and note whether it is left to do."""
        assert work.left is not None
        symbol, error = report.symbol, report.error
        work.inserted += report.inserted
        work.corrected += report.corrected
        # What has stopped may be unknown by now.
        is_failure = isinstance(error, Unanswered | Unwritten) or not has_stopped
        if isinstance(error, Conflicting):
            work.left_out[symbol] = str(error)
        elif error and is_failure:
            outcome.failed[symbol] = str(error).removeprefix("symbol: ")
            return
        elif has_stopped:
            self._end(symbol, outcome)
        elif report.newest_s is None or report.newest_s < outcome.hour_s:
            outcome.missing.append(symbol)
            return
        work.left.discard(symbol)

    def _end(self, symbol: str, outcome: Round) -> None:
        outcome.ended |= {symbol}
        outcome.newly_ended.append(symbol)

    async def _record(self, outcome: Round, work: _HourWork) -> None:
        """Record a round, with what was not recorded before."""
        outcome.crypto_count, outcome.left_out = work.crypto_count, work.left_out
        outcome.inserted, outcome.corrected = work.inserted, work.corrected
        is_last = outcome.attempt >= len(_AGAIN_AFTER_S)
        outcome.is_done = outcome.is_complete and (is_last or not outcome.missing)
        feed = await self._store.record(outcome)
        self._newest_s = feed.newest_s
        labels = self._client.exchange.name, self._quote
        CANDLES.labels(*labels, "inserted").inc(work.inserted)
        CANDLES.labels(*labels, "corrected").inc(work.corrected)
        work.inserted = work.corrected = 0
        states = {
            "followed": work.crypto_count,
            "failed": len(outcome.failed),
            "left_out": len(work.left_out),
            "ended": len(feed.ended),
        }
        for state, number in states.items():
            CRYPTOS.labels(*labels, state).set(number)

    async def _list(self) -> None:
        """Bring the list of the exchange's pairs up to date."""
        if self._markets and self._clock.now_s() - self._listed_s < _LISTED_FOR_S:
            return
        markets = await self._client.markets()
        with_quote(self._client.exchange, markets, self._quote, with_delisted=True)
        self._markets = {market.symbol: market for market in markets}
        self._known |= self._markets
        self._listed_s = self._clock.now_s()

    def _newest_closed_s(self) -> int:
        """Return the opening time of the newest hour that is closed and settled, by both clocks."""
        return _HOUR.opening(int(self._client.now_s() - _SETTLED_S)) - _HOUR_S

    def _after(self, error: BackcastError | None, pause_s: float) -> float:
        """Return the time after a pause, or after the end of a ban."""
        if isinstance(error, Banned):
            pause_s = max(pause_s, error.until_s - self._clock.now_s())
        return self._client.now_s() + pause_s

    async def _until(self, time_s: float) -> None:
        """Return when both clocks have reached a time."""
        while (left_s := time_s - self._client.now_s()) > 0:
            await self._clock.sleep(min(left_s, _NAP_S))


def _again_after_s(attempt: int) -> float:
    """Return how long after the first attempt of a round the next one begins."""
    if attempt < len(_AGAIN_AFTER_S):
        return _AGAIN_AFTER_S[attempt]
    return _AGAIN_AFTER_S[-1] * (attempt - len(_AGAIN_AFTER_S) + 2)
