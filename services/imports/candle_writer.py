"""Client of `ImportCandles`: sends the candles of one crypto to the data service."""

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.domain.conflict_rule import ConflictRule
from services.ingest.report import FileReading
from services.rpc.client_stream import response_of
from services.wire.candles import BLOCK_CANDLES, candles_to, interval_to

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


_RULE_VALUES = {
    ConflictRule.GUARDED: pb.CONFLICT_RULE_UNSPECIFIED,
    ConflictRule.REPLACE: pb.CONFLICT_RULE_REPLACE,
    ConflictRule.KEEP: pb.CONFLICT_RULE_KEEP,
    ConflictRule.FAIL: pb.CONFLICT_RULE_FAIL,
}


@dataclass(frozen=True, slots=True)
class FetchedFrom:
    """The exchange that candles were fetched from, and the hours that it was asked for (Unix seconds)."""

    source: str
    start_s: int
    end_s: int


async def write_candles(
    stub: "MarketDataServiceAsyncStub",
    symbol: str,
    candles: Candles,
    synthetic: bool = False,
    on_conflict: ConflictRule = ConflictRule.REPLACE,
    progress: Callable[[int, int], None] | None = None,
    metadata: Iterable[tuple[str, str]] = (),
    fetched: FetchedFrom | None = None,
) -> pb.ImportCandlesResponse:
    """Write one crypto's hourly candles in one transaction, by a call with `metadata`.

    `progress` is called with the number of candles sent so far, and the number of all candles. `fetched` is
    recorded with them; None if they come from a file.
    """
    header = pb.ImportHeader(
        symbol=symbol,
        interval=interval_to(Interval.HOUR_1),
        synthetic=synthetic,
        on_conflict=_RULE_VALUES[on_conflict],
        candle_count=len(candles),
    )
    if fetched:
        header.source = fetched.source
        header.asked_hours.start_time.seconds = fetched.start_s
        header.asked_hours.end_time.seconds = fetched.end_s

    async def parts() -> AsyncGenerator[pb.ImportCandlesRequest]:
        yield pb.ImportCandlesRequest(header=header)
        for start in range(0, len(candles), BLOCK_CANDLES):
            yield pb.ImportCandlesRequest(columns=candles_to(candles[start : start + BLOCK_CANDLES]))
            if progress:
                progress(min(start + BLOCK_CANDLES, len(candles)), len(candles))

    response: pb.ImportCandlesResponse = await response_of(
        stub.ImportCandles(parts(), metadata=tuple(metadata))
    )
    return response


async def write_reading(
    stub: "MarketDataServiceAsyncStub",
    reading: FileReading,
    on_conflict: ConflictRule,
    progress: Callable[[int, int], None] | None = None,
    metadata: Iterable[tuple[str, str]] = (),
) -> tuple[str, pb.ImportCandlesResponse]:
    """Write the candles of a file; return their symbol, and the numbers of written candles.

    Raises InvalidInput if nothing names the file's crypto.
    """
    symbol = reading.symbol
    if symbol is None:
        raise InvalidInput.of("file", f"its content names no crypto, and {reading.no_symbol}: give --symbol")
    if not len(reading.candles):
        return symbol, pb.ImportCandlesResponse()
    counts = await write_candles(
        stub, symbol, reading.candles, on_conflict=on_conflict, progress=progress, metadata=metadata
    )
    return symbol, counts
