"""The gateway's view of the data service."""

from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.gateway.plan import CryptoData
from services.shared.call_metadata import outgoing_metadata
from services.shared.paging import MAX_SYMBOLS
from services.shared.rpc_status import error_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


class Market:
    """Asks the data service which cryptos there are."""

    def __init__(self, stub: "MarketDataServiceAsyncStub") -> None:
        self._stub = stub

    async def page(self, request: pb.ListCryptosRequest) -> pb.ListCryptosResponse:
        """Return one page of cryptos; raise Unavailable where the service is away."""
        try:
            return await self._stub.ListCryptos(request, metadata=outgoing_metadata())
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from error

    async def cryptos(self, symbols: list[str]) -> list[CryptoData]:
        """Return the cryptos of `symbols` in order of symbols, or all where that is empty or some are not."""
        found = await self._listed(symbols)
        return found if len(found) == len(symbols) or not symbols else await self._listed([])

    async def _listed(self, symbols: list[str]) -> list[CryptoData]:
        request = pb.ListCryptosRequest(symbols=symbols, page_size=MAX_SYMBOLS)
        found: list[CryptoData] = []
        while True:
            page = await self.page(request)
            found += [
                CryptoData(crypto.symbol, crypto.fingerprint, crypto.last_candle_time.seconds)
                for crypto in page.cryptos
            ]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token
