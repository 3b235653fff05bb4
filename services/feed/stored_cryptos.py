"""The cryptos that have candles, which a fetch and a follower compare with what an exchange trades."""

from typing import TYPE_CHECKING

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.crypto_pb2 import Crypto

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# How long a page may take: a service that hangs counts as away.
PAGE_S = 30.0


async def stored_cryptos(stub: "MarketDataServiceAsyncStub") -> dict[str, Crypto]:
    """Return all cryptos that have candles, by symbol; raise gRPC's error if the service does not answer."""
    found: dict[str, Crypto] = {}
    request = pb.ListCryptosRequest()
    while True:
        page = await stub.ListCryptos(request, timeout=PAGE_S)
        found |= {crypto.symbol: crypto for crypto in page.cryptos}
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
