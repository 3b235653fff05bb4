"""Handler of backcast.marketdata.v1.FetchService: converts requests, calls the store, answers."""

import time
import uuid
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from backcast.marketdata.v1 import fetch_pb2, fetch_service_pb2_grpc
from backcast.marketdata.v1 import fetch_service_pb2 as pb
from backcast_engine.errors import InvalidInput, Refused, Violation, Violations
from backcast_engine.near_names import did_you_mean
from backcast_engine.times import utc
from services.data.requests import source_from
from services.data.store.fetches import Fetch, FetchProgress, FetchSpec, FetchState, FetchStore
from services.domain.fetch_request import NO_FEED_PROCESS, hours_wanted, spot_symbol
from services.domain.symbols import canonical_symbol
from services.wire.candles import time_from, timestamp_to
from services.wire.paging import page_of, requested_page

_MOST_NAME, _MOST_REASON, _MOST_SYMBOLS, _MOST_FAILURES, _MOST_COUNT = 128, 1000, 10_000, 100, 10**9
_MOST_EXCHANGES = 100
_COUNTS = ("crypto_count", "failed_count", "inserted_count", "corrected_count", "unchanged_count")
_STATES = {
    FetchState.PENDING: fetch_pb2.FETCH_STATE_PENDING,
    FetchState.RUNNING: fetch_pb2.FETCH_STATE_RUNNING,
    FetchState.SUCCEEDED: fetch_pb2.FETCH_STATE_SUCCEEDED,
    FetchState.FAILED: fetch_pb2.FETCH_STATE_FAILED,
    FetchState.CANCELLED: fetch_pb2.FETCH_STATE_CANCELLED,
}


class FetchHandler(fetch_service_pb2_grpc.FetchServiceServicer):
    """Creates, lists and cancels fetches, and gives them to feed processes."""

    def __init__(self, fetches: FetchStore) -> None:
        self._fetches = fetches

    async def CreateFetch(  # noqa: N802  # the RPC's name
        self, request: pb.CreateFetchRequest, context: object
    ) -> pb.CreateFetchResponse:
        """Create a fetch, if a feed process is there."""
        exchanges = await self._fetches.exchanges()
        spec = _spec_from(request.spec, exchanges)
        if not exchanges:
            raise Refused(NO_FEED_PROCESS)
        return pb.CreateFetchResponse(fetch=_fetch_message(await self._fetches.create(spec)))

    async def ListFetches(  # noqa: N802  # the RPC's name
        self, request: pb.ListFetchesRequest, context: object
    ) -> pb.ListFetchesResponse:
        """List fetches, newest first."""
        requested_page(request)
        # Later times come first: digits of the same number, counted down.
        page, next_page_token = page_of(
            await self._fetches.all(),
            request,
            lambda fetch: f"{10**17 - int(fetch.created_s * 1e6):017} {fetch.fetch_id}",
        )
        return pb.ListFetchesResponse(
            fetches=map(_fetch_message, page),
            next_page_token=next_page_token,
            exchanges=await self._fetches.exchanges(),
        )

    async def CancelFetch(  # noqa: N802  # the RPC's name
        self, request: pb.CancelFetchRequest, context: object
    ) -> pb.CancelFetchResponse:
        """Cancel a fetch, unless it has ended."""
        fetch = await self._fetches.cancel(_id_from(request.fetch_id))
        return pb.CancelFetchResponse(fetch=_fetch_message(fetch))

    async def TakeFetch(  # noqa: N802  # the RPC's name
        self, request: pb.TakeFetchRequest, context: object
    ) -> pb.TakeFetchResponse:
        """Give a feed process the fetch that it has to do, if there is one."""
        violations = Violations()
        violations.read("", _name_from, request.fetcher)
        if len(request.exchanges) > _MOST_EXCHANGES:
            violations.add(Violation("exchanges", f"at most {_MOST_EXCHANGES} are taken"))
        for index, name in enumerate(request.exchanges[:_MOST_EXCHANGES]):
            violations.read("", source_from, name, f"exchanges[{index}]")
        violations.raise_if_any()
        taken = await self._fetches.take(request.fetcher, request.exchanges)
        if taken is None:
            return pb.TakeFetchResponse()
        return pb.TakeFetchResponse(fetch=_fetch_message(taken), done_symbols=taken.progress.done_symbols)

    async def RecordFetch(  # noqa: N802  # the RPC's name
        self, request: pb.RecordFetchRequest, context: object
    ) -> pb.RecordFetchResponse:
        """Record how far a fetch is, or that it has ended."""
        violations = Violations()
        fetch_id = violations.read("", _id_from, request.fetch_id)
        violations.read("", _name_from, request.fetcher)
        progress = violations.read(FetchProgress(), _progress_from, request.progress, request.done_symbols)
        if len(request.error) > _MOST_REASON or "\0" in request.error:
            violations.add(Violation("error", f"at most {_MOST_REASON:,} characters are taken, and no NUL"))
        violations.raise_if_any()
        state = FetchState.RUNNING
        if request.finished:
            failed = request.error or progress.failed_count
            state = FetchState.FAILED if failed else FetchState.SUCCEEDED
        recorded, fetch = await self._fetches.record(
            fetch_id, request.fetcher, progress, state, request.error
        )
        return pb.RecordFetchResponse(recorded=recorded, fetch=_fetch_message(fetch))

    async def ReleaseFetch(  # noqa: N802  # the RPC's name
        self, request: pb.ReleaseFetchRequest, context: object
    ) -> pb.ReleaseFetchResponse:
        """Have another feed process take up at once what a stopping one has."""
        await self._fetches.release(_name_from(request.fetcher))
        return pb.ReleaseFetchResponse()


def _spec_from(spec: fetch_pb2.FetchSpec, exchanges: Sequence[str]) -> FetchSpec:
    """Return what is to be fetched; raise InvalidInput. Without known `exchanges`, any name is right."""
    violations = Violations()
    exchange = spec.exchange.lower()
    if exchanges and exchange not in exchanges:
        hint = did_you_mean(exchange, exchanges, f"known are {', '.join(exchanges)}")
        violations.add(Violation("spec.exchange", f"{spec.exchange!r} is not a known exchange: {hint}"))
    elif not exchange:
        violations.add(Violation("spec.exchange", "is needed"))
    quote = spec.quote.strip().upper()
    symbols = []
    if bool(spec.symbols) == bool(quote):
        violations.add(Violation("spec.symbols", "either symbols or a quote currency is needed"))
    elif len(spec.symbols) > _MOST_SYMBOLS:
        violations.add(Violation("spec.symbols", f"at most {_MOST_SYMBOLS:,} are taken"))
    else:
        symbols = [
            violations.read("", spot_symbol, symbol, f"spec.symbols[{index}]")
            for index, symbol in enumerate(spec.symbols)
        ]
    if len(quote) > _MOST_NAME or "\0" in quote:
        violations.add(Violation("spec.quote", f"at most {_MOST_NAME} characters are taken, and no NUL"))
    if spec.delisted and not quote:
        violations.add(
            Violation("spec.delisted", "is for a quote currency: symbols are fetched whether traded or not")
        )
    start_s, end_s = violations.read((0, None), _times_from, spec)
    violations.raise_if_any()
    return FetchSpec(exchange, list(dict.fromkeys(symbols)), quote, spec.delisted, start_s, end_s, spec.again)


def _times_from(spec: fetch_pb2.FetchSpec) -> tuple[int, int | None]:
    """Return the first hour that is wanted, and the end of the last one; None for the newest one."""
    violations = Violations()
    field, end_field = "spec.start_time", "spec.end_time"
    end_s = None
    if not spec.HasField("start_time"):
        violations.add(Violation(field, "is needed"))
    start_s = violations.read(0, time_from, spec.start_time, field)
    if spec.HasField("end_time"):
        end_s = violations.read(None, time_from, spec.end_time, end_field)
    violations.raise_if_any()
    start_s, last_s = hours_wanted(
        start_s,
        end_s,
        int(time.time()),
        start=utc(start_s),
        end=None if end_s is None else utc(end_s),
        fields=(field, end_field),
    )
    return start_s, None if end_s is None else last_s


def _progress_from(message: fetch_pb2.FetchProgress, done_symbols: Sequence[str]) -> FetchProgress:
    """Return how far a fetch is; raise InvalidInput."""
    violations = Violations()
    for name in _COUNTS:
        if not 0 <= (count := getattr(message, name)) <= _MOST_COUNT:
            violations.add(Violation(f"progress.{name}", f"must be from 0 to {_MOST_COUNT:,}, not {count:,}"))
    if len(message.failures) > _MOST_FAILURES:
        violations.add(Violation("progress.failures", f"at most {_MOST_FAILURES} are taken"))
    failures = {}
    for index, failure in enumerate(message.failures[:_MOST_FAILURES]):
        field = f"progress.failures[{index}]"
        symbol = violations.read("", canonical_symbol, failure.symbol, f"{field}.symbol")
        if len(failure.reason) > _MOST_REASON or "\0" in failure.reason:
            violations.add(
                Violation(f"{field}.reason", f"at most {_MOST_REASON:,} characters are taken, and no NUL")
            )
        failures[symbol] = failure.reason
    symbol = ""
    if message.symbol:
        symbol = violations.read("", canonical_symbol, message.symbol, "progress.symbol")
    reached_s = None
    if message.HasField("reached_time"):
        reached_s = violations.read(None, time_from, message.reached_time, "progress.reached_time")
    if len(done_symbols) > _MOST_SYMBOLS:
        violations.add(Violation("done_symbols", f"at most {_MOST_SYMBOLS:,} are taken"))
    done = [
        violations.read("", canonical_symbol, done, f"done_symbols[{index}]")
        for index, done in enumerate(done_symbols[:_MOST_SYMBOLS])
    ]
    violations.raise_if_any()
    return FetchProgress(
        done_symbols=done,
        failures=failures,
        symbol=symbol,
        reached_s=reached_s,
        **{name: getattr(message, name) for name in _COUNTS},
    )


def _id_from(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput.of("fetch_id", "is not the fetch_id of a fetch") from None


def _name_from(fetcher: str) -> str:
    if not 1 <= len(fetcher) <= _MOST_NAME or "\0" in fetcher:
        raise InvalidInput.of("fetcher", f"1 to {_MOST_NAME} characters are needed, and no NUL")
    return fetcher


def _fetch_message(fetch: Fetch) -> fetch_pb2.Fetch:
    spec, progress = fetch.spec, fetch.progress
    return fetch_pb2.Fetch(
        fetch_id=fetch.fetch_id,
        spec=fetch_pb2.FetchSpec(
            exchange=spec.exchange,
            symbols=spec.symbols,
            quote=spec.quote,
            delisted=spec.with_delisted,
            start_time=timestamp_to(spec.start_s),
            end_time=None if spec.end_s is None else timestamp_to(spec.end_s),
            again=spec.again,
        ),
        state=_STATES[fetch.state],
        error=fetch.error,
        create_time=_time(fetch.created_s),
        begin_time=_time(fetch.begun_s),
        finish_time=_time(fetch.finished_s),
        progress=fetch_pb2.FetchProgress(
            crypto_count=progress.crypto_count,
            done_count=len(progress.done_symbols),
            failed_count=progress.failed_count,
            failures=[
                fetch_pb2.FetchFailure(symbol=symbol, reason=reason)
                for symbol, reason in progress.failures.items()
            ],
            inserted_count=progress.inserted_count,
            corrected_count=progress.corrected_count,
            unchanged_count=progress.unchanged_count,
            symbol=progress.symbol,
            reached_time=None if progress.reached_s is None else timestamp_to(progress.reached_s),
        ),
    )


def _time(time_s: float | None) -> Timestamp | None:
    if time_s is None:
        return None
    message = Timestamp()
    message.FromMicroseconds(int(time_s * 1e6))
    return message
