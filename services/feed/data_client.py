"""Client of the data service, as a follower uses it: stored cryptos, leases, and the record of rounds."""

import secrets
import socket
from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import feed_service_pb2 as feed_pb
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast.marketdata.v1.feed_pb2 import Feed
from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.feed.feed_round import FeedLease, FeedState, Round
from services.feed.writing import writer_to
from services.rpc.status import error_of
from services.wire.candles import timestamp_to

if TYPE_CHECKING:
    from backcast.marketdata.v1.feed_service_pb2_grpc import FeedServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# How long a call may take: a service that hangs counts as away.
CALL_S = 30.0


async def stored_cryptos(stub: "MarketDataServiceAsyncStub") -> dict[str, Crypto]:
    """Return all cryptos that have candles, by symbol; raise gRPC's error if the service does not answer."""
    found: dict[str, Crypto] = {}
    request = pb.ListCryptosRequest()
    while True:
        page = await stub.ListCryptos(request, timeout=CALL_S)
        found |= {crypto.symbol: crypto for crypto in page.cryptos}
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def follower_name() -> str:
    """Return a unique name for a follower, which starts with the host's name."""
    return f"{socket.gethostname()[:64]}-{secrets.token_hex(4)}"


class DataClient:
    """Reads and writes what is stored of one feed, for one follower.

    Errors name the `service` that is called. Every method raises Unavailable if it does not answer.
    """

    def __init__(
        self, channel: grpc.aio.Channel, service: str, exchange: str, quote: str, follower: str
    ) -> None:
        self._candles: MarketDataServiceAsyncStub = MarketDataServiceStub(channel)
        self._feeds: FeedServiceAsyncStub = FeedServiceStub(channel)
        self._service = service
        self._exchange = exchange
        self._quote = quote
        self._follower = follower
        self.write = writer_to(self._candles, service, exchange)

    async def cryptos(self) -> dict[str, Crypto]:
        """Return all cryptos that have candles, by symbol."""
        try:
            return await stored_cryptos(self._candles)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._service) from None

    async def take_lease(self, hour_s: int) -> FeedLease:
        """Take the lease of the hour that opens at `hour_s`, or return why not."""
        request = feed_pb.TakeFeedLeaseRequest(
            exchange=self._exchange,
            quote=self._quote,
            hour_time=timestamp_to(hour_s),
            follower=self._follower,
        )
        try:
            answer = await self._feeds.TakeFeedLease(request, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._service) from None
        wait_s = answer.retry_after.ToTimedelta().total_seconds()
        return FeedLease(_state(answer.feed), answer.taken, answer.done, wait_s)

    async def record(self, outcome: Round) -> FeedState:
        """Record the outcome of a round."""
        request = feed_pb.RecordFeedRoundRequest(
            exchange=self._exchange,
            quote=self._quote,
            hour_time=timestamp_to(outcome.hour_s),
            follower=self._follower,
            complete=outcome.is_complete,
            done=outcome.is_done,
            rechecked=outcome.is_recheck,
            crypto_count=outcome.crypto_count,
            failed_count=len(outcome.failed),
            left_out_count=len(outcome.left_out),
            failure=outcome.failure,
            inserted_count=outcome.inserted,
            corrected_count=outcome.corrected,
            ended_symbols=sorted(outcome.ended),
        )
        try:
            answer = await self._feeds.RecordFeedRound(request, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._service) from None
        return _state(answer.feed)

    async def release(self) -> None:
        """Say that this follower stops: another one may take up at once the hour that it has not done."""
        request = feed_pb.ReleaseFeedRequest(
            exchange=self._exchange, quote=self._quote, follower=self._follower
        )
        try:
            await self._feeds.ReleaseFeed(request, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self._service) from None


def _state(feed: Feed) -> FeedState:
    return FeedState(
        feed.newest_hour_time.seconds if feed.HasField("newest_hour_time") else None,
        feed.rechecked_hour_time.seconds if feed.HasField("rechecked_hour_time") else None,
        frozenset(feed.ended_symbols),
    )
