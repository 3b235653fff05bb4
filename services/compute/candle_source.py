"""Candles from the data service."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.shared.candle_messages import candles_from, interval_to
from services.shared.candles import Candles
from services.shared.interval import Interval
from services.shared.rpc_status import error_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@dataclass(frozen=True, slots=True)
class FetchedHistory:
    """All candles of a crypto, and the fingerprint of the data that they are."""

    symbol: str
    fingerprint: str
    candles: Candles


class CandleSource:
    """Fetches candles with one call for many cryptos."""

    def __init__(self, stub: "MarketDataServiceAsyncStub") -> None:
        self._stub = stub

    async def histories(self, symbols: list[str], interval: Interval) -> AsyncGenerator[FetchedHistory]:
        """Yield the histories of `symbols` in this order; raise Unavailable where the service is away."""
        call = self._stub.StreamCandles(
            pb.StreamCandlesRequest(symbols=symbols, interval=interval_to(interval))
        )
        blocks: list[Candles] = []
        try:
            async for response in call:
                blocks.append(candles_from(response.columns))
                if response.last_block:
                    yield FetchedHistory(response.symbol, response.fingerprint, Candles.concatenate(blocks))
                    blocks = []
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from error
        finally:
            call.cancel()
