"""The client of the data service: which cryptos there are."""

from typing import TYPE_CHECKING

import grpc
import stamina

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.domain.errors import Unavailable
from services.gateway.planning.crypto_data import CryptoData
from services.rpc.channel import outgoing_metadata
from services.rpc.status import error_of
from services.wire.paging import MAX_SYMBOLS

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# The data service gives up a silent database earlier, and reports it.
_LIST_LIMIT_S = 10.0
# Long enough for a data service that is being restarted.
_PATIENCE_S = 2.0


class Market:
    """Asks the data service which cryptos there are."""

    def __init__(self, stub: "MarketDataServiceAsyncStub", limit_s: float = _LIST_LIMIT_S) -> None:
        self._stub = stub
        self._limit_s = limit_s

    async def page(self, request: pb.ListCryptosRequest) -> pb.ListCryptosResponse:
        """Return one page of cryptos; raise Unavailable where the service is away or silent."""
        async for attempt in stamina.retry_context(
            on=Unavailable, attempts=None, timeout=_PATIENCE_S, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                return await self._page(request)
        raise AssertionError

    async def _page(self, request: pb.ListCryptosRequest) -> pb.ListCryptosResponse:
        try:
            return await self._stub.ListCryptos(request, timeout=self._limit_s, metadata=outgoing_metadata())
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from error

    async def cryptos(self, symbols: list[str], seen_before_s: int | None) -> list[CryptoData]:
        """Return the cryptos of `symbols` in their order; all cryptos where none or an unknown one is named.

        `seen_fingerprint` is that of the candles that open before `seen_before_s` (Unix seconds), or of all
        candles where that is None.
        """
        found = await self._listed(symbols, seen_before_s)
        return found if len(found) == len(symbols) or not symbols else await self._listed([], seen_before_s)

    async def _listed(self, symbols: list[str], seen_before_s: int | None) -> list[CryptoData]:
        request = pb.ListCryptosRequest(symbols=symbols, page_size=MAX_SYMBOLS)
        if seen_before_s is not None:
            request.before_time.seconds = seen_before_s
        found: list[CryptoData] = []
        while True:
            page = await self.page(request)
            found += [
                CryptoData(
                    crypto.symbol,
                    crypto.fingerprint,
                    crypto.first_candle_time.seconds,
                    crypto.last_candle_time.seconds,
                    crypto.fingerprint if seen_before_s is None else crypto.fingerprint_before,
                )
                for crypto in page.cryptos
            ]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token
