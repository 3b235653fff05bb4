"""A data service that lists made-up cryptos, and answers when a test lets it."""

import asyncio
from dataclasses import dataclass, field

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2_grpc
from backcast.marketdata.v1.crypto_pb2 import Crypto
from services.domain.errors import InvalidInput
from services.wire.candles import timestamp_to
from tests.candle_making import START_S
from tests.waiting import LIMIT_S

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
HOURS = 24 * 500


@dataclass
class ListingService(market_data_service_pb2_grpc.MarketDataServiceServicer):
    """Its data have the state `number`. It reads them when a call arrives, and answers when it may."""

    number: int = 1
    calls: list[pb.ListCryptosRequest] = field(default_factory=list)
    arrived: "asyncio.Queue[None]" = field(default_factory=asyncio.Queue)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    tells_versions: bool = True
    under_way: int = 0
    most_under_way: int = 0

    async def ListCryptos(  # noqa: N802  # the RPC's name
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        self.calls.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._listed(request)
        finally:
            self.under_way -= 1

    async def _listed(self, request: pb.ListCryptosRequest) -> pb.ListCryptosResponse:
        number, fails, may_answer = self.number, self.fails, self.may_answer
        self.arrived.put_nowait(None)
        await may_answer.wait()
        if fails:
            raise InvalidInput.of("symbols", "are refused")
        version = f"version {number}" if self.tells_versions else ""
        if version and version == request.known_version:
            return pb.ListCryptosResponse(version=version, unchanged=True)
        part = f" before {request.before_time.seconds}" if request.HasField("before_time") else ""
        listed = [
            Crypto(
                symbol=symbol,
                fingerprint=f"{symbol} {number}",
                fingerprint_before=f"{symbol} {number}{part}" if part else "",
                first_candle_time=timestamp_to(START_S),
                last_candle_time=timestamp_to(START_S + 3600 * (HOURS - 1)),
            )
            for symbol in SYMBOLS
            if not request.symbols or symbol in request.symbols
        ]
        return pb.ListCryptosResponse(cryptos=listed, version=version)

    def hold(self) -> None:
        """Keep calls from now on waiting, until `release`; `until_called` waits for the first of them."""
        self.may_answer, self.arrived = asyncio.Event(), asyncio.Queue()

    def release(self) -> None:
        """Answer the calls that wait."""
        self.may_answer.set()

    async def until_called(self) -> None:
        """Wait for the next call to arrive."""
        async with asyncio.timeout(LIMIT_S):
            await self.arrived.get()
