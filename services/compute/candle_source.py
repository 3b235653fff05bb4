"""Candles from the data service."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.shared.candle_messages import candles_from, columns_to, interval_to
from services.shared.candles import Candles
from services.shared.interval import Interval
from services.shared.rpc_status import error_of

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


@dataclass(frozen=True, slots=True)
class FetchedHistory:
    """A crypto's candles as blocks that follow each other, and the fingerprint of the data that they are.

    Where `unchanged_before_s` (Unix seconds) is set, candles that open before are those of the known data.
    """

    symbol: str
    fingerprint: str
    unchanged_before_s: int | None
    blocks: list[Candles]


class CandleSource:
    """Fetches candles with one call for many cryptos."""

    def __init__(self, stub: "MarketDataServiceAsyncStub") -> None:
        self._stub = stub

    async def histories(
        self, known_fingerprints: dict[str, str], interval: Interval, columns: Sequence[str]
    ) -> AsyncGenerator[FetchedHistory]:
        """Yield what is new of each symbol that `known_fingerprints` has, in its order.

        A fingerprint is that of data that is here already; where it is "", the whole history is fetched.
        Of the candles there are the time and `columns`, at least one. Raises Unavailable where the service
        is away.
        """
        call = self._stub.StreamCandles(
            pb.StreamCandlesRequest(
                symbols=known_fingerprints,
                interval=interval_to(interval),
                columns=columns_to(columns),
                known_fingerprints=known_fingerprints.values(),
            )
        )
        wanted = tuple(columns)
        blocks: list[Candles] = []
        try:
            async for response in call:
                blocks.append(candles_from(response.columns, wanted=wanted))
                if response.last_block:
                    yield FetchedHistory(
                        response.symbol,
                        response.fingerprint,
                        response.unchanged_before.seconds if response.HasField("unchanged_before") else None,
                        blocks,
                    )
                    blocks = []
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from error
        finally:
            call.cancel()
