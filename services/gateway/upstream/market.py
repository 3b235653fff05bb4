"""The client of the data service: which cryptos there are."""

import asyncio
from typing import TYPE_CHECKING

import grpc
import stamina

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.domain.errors import Unavailable
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.market_view import MarketView
from services.rpc.channel import outgoing_metadata
from services.rpc.status import error_of
from services.wire.paging import MAX_SYMBOLS

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# The data service gives up a silent database earlier, and reports it.
_LIST_LIMIT_S = 10.0
# Long enough for a data service that is being restarted.
_PATIENCE_S = 2.0
# A check that takes longer may be asking a service that is away: the next one may find another service.
_SLOW_CHECK_S = 0.25


class MarketCatalog:
    """Knows which cryptos there are: asks the data service whether what it has listed is up to date.

    Each request is answered from a check that began after it came, so that it sees every import that returned
    before, whichever gateway it went through. A check begins when the one before has ended, or is slow; all
    requests that came until then share it.
    """

    def __init__(
        self,
        stub: "MarketDataServiceAsyncStub",
        limit_s: float = _LIST_LIMIT_S,
        slow_check_s: float = _SLOW_CHECK_S,
    ) -> None:
        """A check that has taken `slow_check_s` seconds is slow."""
        self._stub = stub
        self._limit_s = limit_s
        self._slow_check_s = slow_check_s
        self._view = MarketView("")
        self._last_check: asyncio.Task[MarketView] | None = None
        self._next_check: asyncio.Task[MarketView] | None = None

    @stamina.retry(on=Unavailable, attempts=None, timeout=_PATIENCE_S, wait_initial=0.05, wait_max=0.5)
    async def page(self, request: pb.ListCryptosRequest) -> pb.ListCryptosResponse:
        """Return one page of cryptos; raise Unavailable where the service is away or silent."""
        try:
            return await self._stub.ListCryptos(request, timeout=self._limit_s, metadata=outgoing_metadata())
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from error

    async def cryptos(self, symbols: list[str], seen_before_s: int | None) -> list[CryptoData]:
        """Return the cryptos of `symbols` in their order; all cryptos where none or an unknown one is named.

        `seen_fingerprint` is that of the candles that open before `seen_before_s` (Unix seconds), or of all
        candles where that is None.
        """
        _, found = await self.view(symbols, seen_before_s)
        return found

    async def view(
        self, symbols: list[str], seen_before_s: int | None
    ) -> tuple[MarketView, list[CryptoData]]:
        """Return a view that was up to date after this call, and its cryptos as `cryptos` does."""
        view = await self._checked(symbols, seen_before_s)
        if (found := view.cryptos(symbols, seen_before_s)) is None:
            view = await self._listed(symbols, seen_before_s)
        if (found := view.cryptos(symbols, seen_before_s)) is None:
            view = await self._listed([], seen_before_s)
            found = view.cryptos([], seen_before_s)
        assert found is not None  # All of them were just listed.
        return view, found

    async def _checked(self, symbols: list[str], seen_before_s: int | None) -> MarketView:
        """Return a view that was up to date after this call; it need not have these cryptos."""
        if self._next_check is None:
            self._next_check = asyncio.create_task(self._check(symbols, seen_before_s))
            # Those who wait for it may all have left when it fails.
            self._next_check.add_done_callback(lambda check: check.cancelled() or check.exception())
        return await asyncio.shield(self._next_check)

    async def _check(self, symbols: list[str], seen_before_s: int | None) -> MarketView:
        """Return the present view, or list these cryptos where the data has changed."""
        if self._last_check and not self._last_check.done():
            await asyncio.wait([self._last_check], timeout=self._slow_check_s)
        # From here on, it is too late to join.
        self._last_check, self._next_check = self._next_check, None
        return await self._listed(symbols, seen_before_s, self._view)

    async def _listed(
        self, symbols: list[str], seen_before_s: int | None, known: MarketView | None = None
    ) -> MarketView:
        """Return a view that has the cryptos of `symbols`, or `known`, where that is up to date."""
        request = pb.ListCryptosRequest(symbols=symbols, page_size=MAX_SYMBOLS)
        if seen_before_s is not None:
            request.before_time.seconds = seen_before_s
        if known:
            request.known_version = known.version
        page = await self.page(request)
        if known and page.unchanged:
            return known
        found, versions = _cryptos_of(page, seen_before_s), {page.version}
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = await self.page(request)
            found += _cryptos_of(page, seen_before_s)
            versions.add(page.version)
        # Where candles were imported between two pages, the list is of no version, and serves only this call.
        version = page.version if len(versions) == 1 else ""
        if not version or version != self._view.version:
            self._view = MarketView(version)
        self._view.add(symbols, seen_before_s, found)
        return self._view


def _cryptos_of(page: pb.ListCryptosResponse, seen_before_s: int | None) -> list[CryptoData]:
    return [
        CryptoData(
            crypto.symbol,
            crypto.fingerprint,
            crypto.first_candle_time.seconds,
            crypto.last_candle_time.seconds,
            crypto.fingerprint if seen_before_s is None else crypto.fingerprint_before,
        )
        for crypto in page.cryptos
    ]
