"""Writes fetched candles through `ImportCandles`, as an import does, with the hours that were asked for."""

from typing import TYPE_CHECKING

import grpc
import stamina

from backcast.marketdata.v1.crypto_pb2 import Crypto
from backcast.marketdata.v1.market_data_service_pb2 import ImportCandlesResponse, ListCryptosRequest
from backcast_engine.errors import Refused
from services.domain.errors import Denied, Unauthenticated, Unavailable
from services.feed.errors import Conflicting, Unwritten
from services.feed.fetch import CandleBatch, Write
from services.feed.spans import Span
from services.imports.candle_writer import FetchedFrom, write_candles
from services.rpc.status import error_of, is_cut_off

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

# How long a service may be away, as while it is started again.
_PATIENCE_S = 60.0
# How often it is waited for where it answers other calls: it may be at the candles, and others wait.
_WAITS = 2
_PROBE_S = 30.0
# Where it answers that it failed.
_ATTEMPTS = 5
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
# What trying again does not help.
_NEVER = {grpc.StatusCode.UNAUTHENTICATED: Unauthenticated, grpc.StatusCode.PERMISSION_DENIED: Denied}


def writer_to(stub: "MarketDataServiceAsyncStub", service: str, source: str) -> Write:
    """Return what writes a batch of an exchange's candles by a call of `service`, which errors name.

    A service that is away is tried again for a minute, and one that fails five times: writing a batch twice
    is writing it once. Then, Unavailable or Unwritten is raised; Conflicting if candles do not fit what is
    stored. One that answers other calls is not away: it is tried for another minute, and then Unwritten is
    raised.
    """

    @stamina.retry(
        on=Unwritten, attempts=_ATTEMPTS, timeout=None, wait_initial=1.0, wait_max=30.0, wait_jitter=1.0
    )
    @stamina.retry(on=Unavailable, attempts=None, timeout=_PATIENCE_S, wait_initial=0.1, wait_max=5.0)
    async def attempt(batch: CandleBatch) -> ImportCandlesResponse:
        try:
            fetched = FetchedFrom(source, batch.asked.start_s, batch.asked.end_s)
            return await write_candles(
                stub, batch.symbol, batch.candles, on_conflict=batch.on_conflict, fetched=fetched
            )
        except grpc.aio.AioRpcError as error:
            if kind := _NEVER.get(error.code()):
                raise kind(error.details() or error.code().name) from None
            failure = error_of(error, service)
            if isinstance(failure, Refused):
                raise Conflicting(str(failure), reason=failure.reason, **failure.metadata) from None
            if isinstance(failure, Unavailable) and not (error.code() in _AWAY or is_cut_off(error)):
                raise Unwritten(str(failure)) from None
            raise failure from None

    async def check_is_there(symbol: str) -> None:
        """Raise Unavailable if the service, or its database, does not answer at all."""
        try:
            await stub.ListCryptos(ListCryptosRequest(symbols=[symbol]), timeout=_PROBE_S)
        except grpc.aio.AioRpcError as error:
            raise error_of(error, service) from None

    async def write(batch: CandleBatch) -> ImportCandlesResponse:
        reason = ""
        for _ in range(_WAITS):
            try:
                return await attempt(batch)
            except Unwritten as error:
                raise Unwritten(f"its candles were not written in {_ATTEMPTS} attempts: {error}") from error
            except Unavailable as error:
                await check_is_there(batch.symbol)
                reason = str(error)
        waited_s = _WAITS * _PATIENCE_S
        raise Unwritten(f"its candles were not written in {waited_s:.0f} s: {reason}")

    return write


def reason_against(crypto: Crypto, source: str) -> str:
    """Return why candles of an exchange cannot be mixed into what is stored; empty if they can."""
    if crypto.synthetic:
        return f"{crypto.symbol} has synthetic candles: those of {source} cannot be mixed in"
    if crypto.source not in ("", source):
        return f"{crypto.symbol} has candles of {crypto.source}: those of {source} cannot be mixed in"
    return ""


def spans_asked(crypto: Crypto, source: str) -> list[Span]:
    """Return the spans that an exchange was asked for the stored candles of a crypto."""
    if crypto.source != source:
        return []
    return [Span(each.start_time.seconds, each.end_time.seconds) for each in crypto.asked_hours]
