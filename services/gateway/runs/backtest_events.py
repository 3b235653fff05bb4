"""The events of a run of backtests: cached results first, then the others as they complete, and a summary."""

import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import run_events_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from backcast_engine import Detail
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.flights import KeyOutcome
from services.gateway.cache.keys import ResultKeys
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import Computed, SingleFlight
from services.gateway.messages.runs import left_out_to, run_request_to
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.event_log import RESULT, LoggedEvent
from services.gateway.runs.record import RunRecord
from services.gateway.runs.totals import RunTotals
from services.gateway.upstream.compute import ComputeClient
from services.wire.raw_fields import RawField

# Cached results are read so many at once: the metrics of most runs in one round trip; of trades and curves,
# which are a thousand times longer, only as many as are sent soon.
_READ_BATCH, _LONG_READ_BATCH = 1_024, 16
# Events are yielded so many at once, or so many bytes: then the run waits until its log has room for more.
_MOST_EVENTS, _MOST_BYTES = 256, 2**19

_CONTINUATION = RawField(RunBacktestsResponse, "result_continuation")


class BacktestEvents:
    """The events of one run, and what has been sent of them."""

    def __init__(
        self,
        plan: RunPlan,
        cache: RunCache,
        single_flight: SingleFlight,
        compute: ComputeClient,
        record: RunRecord,
        arrived_at: float,
    ) -> None:
        """`arrived_at` is when the request came, by time.monotonic(); `record` is kept up to date."""
        self._plan = plan
        self._cache = cache
        self._single_flight = single_flight
        self._compute = compute
        self._record = record
        self._arrived_at = arrived_at
        self._keys = ResultKeys(plan.backtest, plan.others)
        self._progress = pb.Progress(total=len(plan.cryptos))
        # The cryptos that have no event yet, by the key of the result.
        self._pending: dict[str, CryptoData] = {}
        # Events that are not yielded yet, and their bytes.
        self._made: deque[LoggedEvent] = deque()
        self._made_bytes = 0
        # The number of the last event, yielded or not.
        self._events = 0
        self._is_summed_up = False
        self._totals = RunTotals()
        record.total = len(plan.cryptos)

    async def events(self) -> AsyncGenerator[list[LoggedEvent]]:
        """Yield the events that have not been yielded before, several at a time; see Run.

        Closing the iterator cancels what is being computed for it.
        """
        async with aclosing(self._steps()) as steps:
            async for _ in steps:
                while self._made:
                    yield self._next_events()

    async def _steps(self) -> AsyncGenerator[None]:
        """Make the events, and yield whenever there are new ones."""
        if not self._events:
            self._start()
        # The iterator before may have been closed before all events were yielded.
        yield
        for keys in self._batches_to_read():
            for key, result in (await self._cached(keys)).items():
                self._completed(key, result, self._pending[key].fingerprint, from_cache=True)
                if self._has_enough:
                    yield
            yield
        if self._plan.cache_mode is CacheMode.ONLY:
            for key in list(self._pending):
                self._failed(key, self._cache.absence("its result is"))
                if self._has_enough:
                    yield
        elif self._pending:
            async with aclosing(self._compute_pending()) as steps:
                async for _ in steps:
                    yield
        if not self._is_summed_up:
            # The iterator may be closed while the summary is sent, and another one opened.
            self._is_summed_up = True
            self._make(RunBacktestsResponse(summary=self._summary()))
        yield

    @property
    def _has_enough(self) -> bool:
        """Whether so many events are made that no more should be before they are yielded."""
        return len(self._made) >= _MOST_EVENTS or self._made_bytes >= _MOST_BYTES

    def _next_events(self) -> list[LoggedEvent]:
        """Return the first events that are not yielded yet: one, or several that are short."""
        events: list[LoggedEvent] = []
        size = 0
        while self._made and len(events) < _MOST_EVENTS and size < _MOST_BYTES:
            events.append(self._made.popleft())
            size += events[-1].size
        self._made_bytes -= size
        return events

    def _start(self) -> None:
        cryptos, run_id = self._plan.cryptos, self._record.run_id
        self._pending = {self._keys.key(crypto, crypto.seen_fingerprint): crypto for crypto in cryptos}
        started = RunStarted(
            request=run_request_to(self._plan, run_id),
            crypto_count=self._record.total,
            run_id=run_id,
            left_out=left_out_to(self._plan),
            cryptos_with_later_candles=self._plan.with_later_candles,
        )
        self._make(RunBacktestsResponse(started=started))

    def _batches_to_read(self) -> Iterator[list[str]]:
        """Yield the keys that are to be read from the cache, batch by batch."""
        keys = list(self._pending)
        size = _READ_BATCH if self._plan.backtest.detail is Detail.METRICS else _LONG_READ_BATCH
        for start in range(0, len(keys), size):
            if self._cache.is_read:
                yield keys[start : start + size]

    async def _cached(self, keys: list[str]) -> dict[str, ComputedResult]:
        """Return the results of a batch that are in the cache, by their keys."""
        began = time.monotonic()
        results = await self._cache.results(keys)
        if self._cache.is_used:
            phases_s = self._record.phases_s
            phases_s["cache"] = phases_s.get("cache", 0.0) + time.monotonic() - began
        return results

    async def _compute_pending(self) -> AsyncGenerator[None]:
        """Make the events of results that are not cached, and yield whenever there are new ones.

        They are computed once for all runs that want them at the same time; for this run alone where it does
        not read the cache, through which runs share results.
        """
        if self._cache.is_read:
            try:
                others = "".join(f" {other.fingerprint}" for other in self._plan.others)
                versions = {key: crypto.fingerprint + others for key, crypto in self._pending.items()}
                async with aclosing(self._single_flight.outcomes(versions, self._outcomes)) as lists:
                    async for outcomes in lists:
                        for outcome in outcomes:
                            self._add_outcome(outcome)
                        yield
                return
            except CacheUnavailable as error:
                self._cache.lose(error)
        try:
            async with aclosing(self._outcomes(list(self._pending))) as all_computed:
                async for computed in all_computed:
                    for each in computed:
                        if each.result is not None:
                            await self._cache.put(each.saved_as, each.result)
                        self._add_outcome(KeyOutcome(each.key, each.result, each.failure, shared=False))
                    yield
        finally:
            await self._cache.flush()

    def _add_outcome(self, outcome: KeyOutcome) -> None:
        """Make the events of a result that was computed, for this run or for another one, or of a failure."""
        if outcome.result is None:
            self._failed(outcome.key, outcome.failure or Status())
            return
        fingerprint = outcome.result.fingerprint
        if outcome.shared and not outcome.of_newer_data:
            # It may have been computed from an older version, whose later candles it does not see.
            fingerprint = self._pending[outcome.key].fingerprint
        self._record.shared += outcome.shared
        self._completed(outcome.key, outcome.result, fingerprint, from_cache=outcome.shared)

    async def _outcomes(self, keys: list[str]) -> AsyncGenerator[list[Computed]]:
        """Have results computed; each is saved under the key of the version that it was computed from."""
        cryptos = {self._pending[key].symbol: (key, self._pending[key]) for key in keys}
        wanted, others = [crypto for _, crypto in cryptos.values()], self._plan.others
        async with aclosing(self._compute.outcomes(self._plan.backtest, wanted, others)) as responses:
            async for response in responses:
                computed = []
                for failure in response.failures:
                    key, _ = cryptos[failure.symbol]
                    computed.append(Computed(key, failure=failure.status))
                for result in response.results:
                    key, crypto = cryptos[result.symbol]
                    saved_as = self._keys.key_of_result(crypto, result.fingerprint, result.other_fingerprints)
                    computed.append(Computed(key, saved_as, result))
                yield computed

    def _completed(self, key: str, result: ComputedResult, fingerprint: str, *, from_cache: bool) -> None:
        """Make the events of a result: one, or as many as it has parts.

        `fingerprint` is that of the data for which it is valid.
        """
        del self._pending[key]
        self._progress.completed += 1
        self._progress.from_cache += from_cache
        self._record.completed, self._record.from_cache = self._progress.completed, self._progress.from_cache
        self._record.phases_s.setdefault("first_result", time.monotonic() - self._arrived_at)
        self._totals.add(result)
        symbol = BacktestResult(symbol=result.symbol).SerializeToString()
        facts = BacktestResult(data_fingerprint=fingerprint, from_cache=from_cache).SerializeToString()
        # The first result of a run comes alone, and so does each part of a long one.
        may_share = self._progress.completed > 1 and len(result.parts) == 1
        for number, part in enumerate(result.parts, 1):
            event = self._numbered(RunBacktestsResponse(result_continues=number < len(result.parts)))
            if number > 1:
                self._append(LoggedEvent(event + _CONTINUATION.of(symbol + part)))
            elif may_share:
                self._append(LoggedEvent(event, symbol + part + facts))
            else:
                self._append(LoggedEvent(event + RESULT.of(symbol + part + facts)))

    def _failed(self, key: str, status: Status) -> None:
        crypto = self._pending.pop(key)
        self._progress.failed += 1
        self._record.failed = self._progress.failed
        self._make(RunBacktestsResponse(failure=pb.RunFailure(symbol=crypto.symbol, status=status)))

    def _make(self, event: RunBacktestsResponse) -> None:
        self._append(LoggedEvent(self._numbered(event)))

    def _append(self, event: LoggedEvent) -> None:
        self._made.append(event)
        self._made_bytes += event.size

    def _numbered(self, event: RunBacktestsResponse) -> bytes:
        """Return an event as the next one, serialized."""
        self._events += 1
        event.sequence = self._events
        event.progress.CopyFrom(self._progress)
        return event.SerializeToString()

    def _summary(self) -> pb.RunSummary:
        elapsed = Duration()
        elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
        summary = pb.RunSummary(progress=self._progress, elapsed=elapsed, cache_state=self._cache.state)
        self._totals.fill(summary)
        return summary
