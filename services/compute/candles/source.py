"""Fetches candles from the data service."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.fetched import FetchedHistory
from services.rpc.channel import outgoing_metadata
from services.rpc.resumed_stream import resumed_stream
from services.wire.breaks import break_from
from services.wire.candles import candles_from, columns_to, interval_to, partial_candles_from, timestamp_to

if TYPE_CHECKING:
    from grpc.aio import UnaryStreamCall

    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


_SYMBOL_FIELD = re.compile(r"symbols\[(\d+)\]")
# The fingerprint of a crypto without data.
_NO_DATA = str(UUID(int=0))
# The data service gives up a silent database earlier, and reports it.
_STALL_LIMIT_S = 15.0


class HistoryBlocks:
    """Collects the blocks of a stream into histories."""

    def __init__(self, columns: Sequence[str], since_s: int) -> None:
        self._wanted = tuple(columns)
        self._since_s = since_s
        self._blocks: list[Candles] = []

    def add(self, response: pb.StreamCandlesResponse) -> list[FetchedHistory]:
        """Add the next blocks; return the histories of which they are the last ones."""
        return [history for block in response.blocks if (history := self._add(block))]

    def _add(self, block: pb.CandleBlock) -> FetchedHistory | None:
        self._blocks.append(candles_from(block.columns, wanted=self._wanted))
        if not block.last_block:
            return None
        blocks, self._blocks = self._blocks, []
        return FetchedHistory(
            block.symbol,
            block.fingerprint,
            block.unchanged_before.seconds if block.HasField("unchanged_before") else None,
            blocks,
            tuple(map(break_from, block.breaks)),
            partial_candles_from(block.partial_candles),
            EARLIEST_S if block.no_earlier_candles else self._since_s,
        )


def candles_request(
    known_fingerprints: dict[str, str], interval: Interval, columns: Sequence[str], since_s: int
) -> pb.StreamCandlesRequest:
    """Return the request for the new candles of each symbol of `known_fingerprints`, in its order.

    A fingerprint is that of the version that the caller has; where it is "", the whole history is fetched.
    `columns`, at least one, are fetched besides the opening time, of candles that open from `since_s` on.
    """
    return pb.StreamCandlesRequest(
        symbols=known_fingerprints,
        interval=interval_to(interval),
        columns=columns_to(columns),
        known_fingerprints=known_fingerprints.values(),
        start_time=timestamp_to(since_s) if since_s > EARLIEST_S else None,
    )


class CandleSource:
    """Fetches the candles of many cryptos with one call."""

    def __init__(self, stub: "MarketDataServiceAsyncStub", stall_limit_s: float = _STALL_LIMIT_S) -> None:
        self._stub = stub
        self._stall_limit_s = stall_limit_s

    async def histories(
        self,
        known_fingerprints: dict[str, str],
        interval: Interval,
        columns: Sequence[str],
        since_s: int = EARLIEST_S,
    ) -> AsyncGenerator[list[FetchedHistory]]:
        """Yield the histories that `candles_request` asks for, in its order, and in lists as they come.

        A crypto that does not exist (it was deleted after the run was planned) has a history without candles.
        Raises Unavailable where the service is away or silent.
        """
        missing = known_fingerprints.copy()
        blocks = HistoryBlocks(columns, since_s)

        def call() -> "UnaryStreamCall[Any, pb.StreamCandlesResponse]":
            # A history that broke off is streamed again from its first block.
            nonlocal blocks
            blocks = HistoryBlocks(columns, since_s)
            request = candles_request(missing, interval, columns, since_s)
            return self._stub.StreamCandles(request, metadata=outgoing_metadata())

        while missing:
            try:
                async with aclosing(resumed_stream("data", missing, call, self._stall_limit_s)) as responses:
                    async for response in responses:
                        if histories := blocks.add(response):
                            for history in histories:
                                del missing[history.symbol]
                            yield histories
                return
            except InvalidInput as error:
                # The other cryptos can still be fetched.
                absent = _absent_symbols(list(missing), error)
                if not absent:
                    raise
            for symbol in absent:
                del missing[symbol]
            yield [FetchedHistory(symbol, _NO_DATA, None, []) for symbol in absent]


def _absent_symbols(asked: list[str], error: InvalidInput) -> list[str]:
    """Return the requested symbols that do not exist, according to an error."""
    named = (_SYMBOL_FIELD.fullmatch(violation.field) for violation in error.violations)
    return [asked[int(field[1])] for field in named if field]
