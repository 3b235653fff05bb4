"""Client of the fetches that are asked for: takes them up, and records how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from backcast.marketdata.v1 import fetch_service_pb2 as pb
from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast.marketdata.v1.fetch_pb2 import Fetch, FetchFailure, FetchProgress
from backcast.marketdata.v1.fetch_service_pb2_grpc import FetchServiceStub
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.feed.data_client import CALL_S, stored_cryptos
from services.feed.errors import shortened
from services.feed.fetch import CryptoReport, Write
from services.feed.writing import writer_to
from services.rpc.status import error_of
from services.wire.candles import timestamp_to

if TYPE_CHECKING:
    from backcast.marketdata.v1.fetch_service_pb2_grpc import FetchServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

_MOST_FAILURES = 100


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """What is to be fetched: pairs by their symbols, or all of a quote currency.

    Times are Unix seconds; `end_s` is None for the newest closed hour.
    """

    fetch_id: str
    exchange: str
    symbols: Sequence[str]
    quote: str
    with_delisted: bool
    start_s: int
    end_s: int | None
    again: bool


@dataclass(slots=True)
class Doing:
    """What a fetch has done, also before another feed process died: see FetchProgress messages."""

    crypto_count: int = 0
    done_symbols: list[str] = field(default_factory=list)
    failed_count: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    inserted: int = 0
    corrected: int = 0
    unchanged: int = 0
    symbol: str = ""
    reached_s: int | None = None

    def reached(self, symbol: str, time_s: int, _: int) -> None:
        """Note the time that a crypto has reached."""
        self.symbol, self.reached_s = symbol, time_s

    def done(self, report: CryptoReport) -> None:
        """Note the report of a crypto."""
        self.inserted += report.inserted
        self.corrected += report.corrected
        self.unchanged += report.unchanged
        self.done_symbols.append(report.symbol)
        if report.error:
            # The fields of this request instead of those of others.
            reason = str(report.error).removeprefix("symbol: ").removeprefix("since: ")
            reason = reason.replace("CONFLICT_RULE_REPLACE", "a fetch with `again`")
            self.fail(report.symbol, reason.removeprefix(f"{report.symbol}: "))

    def fail(self, symbol: str, reason: str) -> None:
        """Note why a crypto failed."""
        self.failed_count += 1
        if len(self.failures) < _MOST_FAILURES:
            self.failures[symbol] = shortened(reason)


class FetchQueue:
    """Takes up fetches for one feed process, which has a name of its own.

    Every method raises Unavailable if the data service does not answer.
    """

    def __init__(self, channel: grpc.aio.Channel, fetcher: str) -> None:
        self._fetches: FetchServiceAsyncStub = FetchServiceStub(channel)
        self._candles: MarketDataServiceAsyncStub = MarketDataServiceStub(channel)
        self._fetcher = fetcher

    async def take(self, exchanges: Sequence[str]) -> tuple[FetchOrder, Doing] | None:
        """Take up a fetch from one of the exchanges; return it and what is done, or None if there is none."""
        request = pb.TakeFetchRequest(fetcher=self._fetcher, exchanges=exchanges)
        try:
            answer = await self._fetches.TakeFetch(request, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from None
        if not answer.HasField("fetch"):
            return None
        return _order(answer.fetch), _doing(answer.fetch.progress, answer.done_symbols)

    async def record(
        self, order: FetchOrder, doing: Doing, *, is_finished: bool = False, error: str = ""
    ) -> bool:
        """Record how far a fetch is; return False if it is not this process's any more."""
        progress = FetchProgress(
            crypto_count=doing.crypto_count,
            failed_count=doing.failed_count,
            failures=[FetchFailure(symbol=name, reason=reason) for name, reason in doing.failures.items()],
            inserted_count=doing.inserted,
            corrected_count=doing.corrected,
            unchanged_count=doing.unchanged,
            symbol=doing.symbol,
            reached_time=None if doing.reached_s is None else timestamp_to(doing.reached_s),
        )
        request = pb.RecordFetchRequest(
            fetch_id=order.fetch_id,
            fetcher=self._fetcher,
            progress=progress,
            done_symbols=doing.done_symbols,
            finished=is_finished,
            error=shortened(error),
        )
        try:
            return (await self._fetches.RecordFetch(request, timeout=CALL_S)).recorded
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure, "data") from None

    async def release(self) -> None:
        """Say that this process stops: another one may take up at once what it has."""
        try:
            await self._fetches.ReleaseFetch(pb.ReleaseFetchRequest(fetcher=self._fetcher), timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, "data") from None

    async def cryptos(self) -> dict[str, Crypto]:
        """Return all cryptos that have candles, by symbol."""
        try:
            return await stored_cryptos(self._candles)
        except grpc.aio.AioRpcError as failure:
            raise error_of(failure, "data") from None

    def writer(self, exchange: str) -> Write:
        """Return what writes candles of an exchange."""
        return writer_to(self._candles, "data", exchange)


def _order(fetch: Fetch) -> FetchOrder:
    spec = fetch.spec
    return FetchOrder(
        fetch.fetch_id,
        spec.exchange,
        list(spec.symbols),
        spec.quote,
        spec.delisted,
        spec.start_time.seconds,
        spec.end_time.seconds if spec.HasField("end_time") else None,
        spec.again,
    )


def _doing(progress: FetchProgress, done_symbols: Sequence[str]) -> Doing:
    return Doing(
        progress.crypto_count,
        list(done_symbols),
        progress.failed_count,
        {each.symbol: each.reason for each in progress.failures},
        progress.inserted_count,
        progress.corrected_count,
        progress.unchanged_count,
        progress.symbol,
        progress.reached_time.seconds if progress.HasField("reached_time") else None,
    )
