"""Does the fetches that are asked for, one after the other, and records how far each is.

A feed process does it beside following. If it dies, another one goes on: the cryptos that are done are not
asked for again, and of the others only the hours that were not asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress

import structlog

from backcast_engine.errors import BackcastError
from services.domain.errors import Unavailable
from services.feed.client import ExchangeClient
from services.feed.fetch import fetch_all
from services.feed.fetch_queue import Doing, FetchOrder, FetchQueue
from services.feed.last_call import last_call
from services.feed.markets import with_quote, with_symbols, without_unstorable
from services.feed.spans import Span
from services.feed.writing import reason_against, spans_asked

_log = structlog.get_logger()

# How often it is asked for a fetch, and how often progress is recorded.
_EVERY_S = 2.0


class Fetcher:
    """Does fetches from `exchanges`; `client_of` returns the client of one of them.

    It looks for fetches, and records progress, every `every_s` seconds.
    """

    def __init__(
        self,
        queue: FetchQueue,
        exchanges: Collection[str],
        client_of: Callable[[str], ExchangeClient],
        every_s: float = _EVERY_S,
    ) -> None:
        self._queue = queue
        self._exchanges = sorted(exchanges)
        self._client_of = client_of
        self._every_s = every_s

    async def run(self) -> None:
        """Do fetches until it is cancelled; then another process may take up at once what it has."""
        try:
            while True:
                try:
                    taken = await self._queue.take(self._exchanges)
                    if taken:
                        await self._do(*taken)
                        continue
                except BackcastError as error:
                    # The fetch is taken up again: by this process, or by another one.
                    _log.warning("fetching interrupted", reason=str(error))
                await asyncio.sleep(self._every_s)
        finally:
            await last_call(self._queue.release())

    async def _do(self, order: FetchOrder, doing: Doing) -> None:
        """Do a fetch up to its end, or until it is not this process's any more.

        Raises Unavailable if the data service is away: the fetch goes on when it is back.
        """
        _log.info(
            "fetch started", fetch=order.fetch_id, exchange=order.exchange, done=len(doing.done_symbols)
        )
        try:
            async with _running(self._fetch(order, doing)) as fetching:
                while not (await asyncio.wait({fetching}, timeout=self._every_s))[0]:
                    with suppress(Unavailable):
                        if not await self._queue.record(order, doing):
                            _log.info("fetch ended elsewhere", fetch=order.fetch_id)
                            return
                error = fetching.result()
        except asyncio.CancelledError:
            # What was done since the last record.
            await last_call(self._queue.record(order, doing))
            raise
        await self._queue.record(order, doing, is_finished=True, error=error)
        log = _log.warning if error or doing.failed_count else _log.info
        log(
            "fetch ended",
            fetch=order.fetch_id,
            cryptos=doing.crypto_count,
            inserted=doing.inserted,
            corrected=doing.corrected,
            failed=doing.failed_count,
            **({"failure": error} if error else {}),
        )

    async def _fetch(self, order: FetchOrder, doing: Doing) -> str:
        """Fetch what is not done; return why it failed as a whole, empty if it did not."""
        try:
            return await self._fetch_rest(order, doing)
        except BackcastError as error:
            # Not those of the exchange, which are classes of their own.
            if type(error) is Unavailable:
                raise
            return str(error)

    async def _fetch_rest(self, order: FetchOrder, doing: Doing) -> str:
        """Fetch what is not done; return what cannot be stored, empty if all can."""
        client = self._client_of(order.exchange)
        name, listed = client.exchange.name, await client.markets()
        if order.quote:
            markets = with_quote(client.exchange, listed, order.quote, order.with_delisted)
        else:
            markets = with_symbols(client.exchange, listed, order.symbols)
        markets, unstorable = without_unstorable(client.exchange, markets)
        stored = await self._queue.cryptos()
        span = Span(order.start_s, int(client.now_s()) if order.end_s is None else order.end_s)
        doing.crypto_count = len(markets)
        known, wanted, asked = set(doing.done_symbols), {}, {}
        for market in markets:
            symbol, crypto = market.symbol, stored.get(market.symbol)
            if symbol in known:
                continue
            if reason := crypto and reason_against(crypto, name):
                doing.done_symbols.append(symbol)
                doing.fail(symbol, reason)
                continue
            wanted[symbol] = market, span
            asked[symbol] = spans_asked(crypto, name) if crypto else []
        write = self._queue.writer(name)
        reports = fetch_all(client, wanted, asked, write, doing.reached, order.again)
        async with aclosing(reports):
            async for report in reports:
                doing.done(report)
        return "; ".join(unstorable.values())


@asynccontextmanager
async def _running(fetch: Coroutine[None, None, str]) -> "AsyncGenerator[asyncio.Task[str]]":
    """Run a fetch as a task, which has ended when the context has."""
    fetching = asyncio.create_task(fetch)
    try:
        yield fetching
    finally:
        fetching.cancel()
        await asyncio.wait({fetching})
