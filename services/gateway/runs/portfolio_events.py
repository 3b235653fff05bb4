"""The events of a portfolio: progress while its signals are computed, the result, and a summary."""

import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.compute.v1.compute_service_pb2 import ComputePortfoliosResponse
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.keys import PortfolioKeys
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import Computed, SingleFlight
from services.gateway.messages.portfolios import portfolio_started
from services.gateway.planning.portfolio_plan import PortfolioPlan
from services.gateway.planning.run_plan import CacheMode
from services.gateway.runs.event_log import LoggedEvent
from services.gateway.runs.record import RunRecord
from services.gateway.upstream.compute import ComputeClient
from services.rpc.status import error_of_status
from services.wire.raw_fields import RawField

# Nobody can read events that come more often.
_PROGRESS_S = 0.1

_RESULT = RawField(pb.RunPortfolioResponse, "result")
_CONTINUATION = RawField(pb.RunPortfolioResponse, "result_continuation")


class PortfolioEvents:
    """The events of one portfolio, and what has been sent of them."""

    def __init__(
        self,
        plan: PortfolioPlan,
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
        self._keys = PortfolioKeys(plan.run, plan.cryptos)
        self._key = self._keys.key(plan.portfolio)
        # The number of the last event, and events that are not yielded yet.
        self._events = 0
        self._made: deque[LoggedEvent] = deque()
        self._progress_at = 0.0
        self._has_result = self._is_summed_up = False
        record.total = plan.backtests

    async def events(self) -> AsyncGenerator[list[LoggedEvent]]:
        """Yield the events that have not been yielded before; see Run.

        Closing the iterator cancels what is being computed for it. Raises the error of a portfolio that has
        no result.
        """
        async with aclosing(self._steps()) as steps:
            async for _ in steps:
                while self._made:
                    yield [self._made.popleft()]

    async def _steps(self) -> AsyncGenerator[None]:
        """Make the events, and yield whenever there are new ones."""
        if not self._events:
            self._make(pb.RunPortfolioResponse(started=portfolio_started(self._plan, self._record.run_id)))
        # The iterator before may have been closed before all events were yielded.
        yield
        if not self._has_result and (cached := await self._cached()):
            self._complete(cached, from_cache=True)
        if not self._has_result:
            if self._plan.run.cache_mode is CacheMode.ONLY:
                raise error_of_status(self._cache.absence("the portfolio's result is"))
            async with aclosing(self._computed()) as steps:
                async for _ in steps:
                    yield
        if not self._is_summed_up:
            self._is_summed_up = True
            elapsed = Duration()
            elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
            summary = pb.PortfolioSummary(elapsed=elapsed, cache_state=self._cache.state)
            self._make(pb.RunPortfolioResponse(summary=summary))
        yield

    async def _cached(self) -> ComputedResult | None:
        began = time.monotonic()
        results = await self._cache.results([self._key])
        if self._cache.is_used:
            self._record.phases_s["cache"] = time.monotonic() - began
        return results.get(self._key)

    async def _computed(self) -> AsyncGenerator[None]:
        """Make the events of a result that is not cached, and yield whenever there are new ones.

        It is computed once for all portfolios that want it at the same time; for this one alone where it does
        not read the cache, through which they share it.
        """
        if self._cache.is_read:
            data = (*self._plan.cryptos, *self._plan.run.others)
            versions = {self._key: ",".join(crypto.fingerprint for crypto in data)}
            try:
                async with aclosing(self._single_flight.outcomes(versions, self._outcomes)) as lists:
                    async for outcomes in lists:
                        for outcome in outcomes:
                            self._record.shared = self._record.total if outcome.shared else 0
                            self._take(outcome.result, outcome.failure, from_cache=outcome.shared)
                        yield
                return
            except CacheUnavailable as error:
                self._cache.lose(error)
                if self._has_result:
                    # It could not be saved.
                    return
        try:
            async with aclosing(self._outcomes([self._key])) as all_computed:
                async for computed in all_computed:
                    for each in computed:
                        if each.result is not None:
                            await self._cache.put(each.saved_as, each.result)
                        self._take(each.result, each.failure, from_cache=False)
                    yield
        finally:
            await self._cache.flush()

    async def _outcomes(self, keys: list[str]) -> AsyncGenerator[list[Computed]]:
        """Have the result computed; yield nothing in lists for progress, of which an event is made.

        It is saved under the key of the versions that it was computed from.
        """
        plan = self._plan
        found = self._compute.portfolios([plan.portfolio], plan.cryptos, plan.run.others)
        async with aclosing(found) as responses:
            async for response in responses:
                if response.HasField("failure"):
                    yield [Computed(self._key, failure=response.failure)]
                elif response.HasField("result"):
                    yield [Computed(self._key, self._saved_as(response), response.result)]
                else:
                    self._make_progress(response.completed_crypto_count)
                    yield []

    def _saved_as(self, response: ComputePortfoliosResponse) -> str:
        newer = {crypto.symbol: crypto.fingerprint for crypto in response.newer_cryptos}
        return self._keys.key(self._plan.portfolio, newer)

    def _take(self, result: ComputedResult | None, failure: Status | None, *, from_cache: bool) -> None:
        if result is None:
            self._record.failed = self._record.total
            raise error_of_status(failure or Status())
        self._complete(result, from_cache=from_cache)

    def _complete(self, result: ComputedResult, *, from_cache: bool) -> None:
        """Make the events of the result: one, or as many as it has parts."""
        self._has_result = True
        record = self._record
        record.completed = record.total
        record.from_cache = record.total if from_cache else 0
        record.phases_s.setdefault("first_result", time.monotonic() - self._arrived_at)
        facts = PortfolioResult(from_cache=from_cache).SerializeToString()
        for number, part in enumerate(result.parts, 1):
            event = self._numbered(pb.RunPortfolioResponse(result_continues=number < len(result.parts)))
            raw = _RESULT.of(part + facts) if number == 1 else _CONTINUATION.of(part)
            self._made.append(LoggedEvent(event + raw))

    def _make_progress(self, completed: int) -> None:
        total = len(self._plan.cryptos)
        self._record.completed = completed * len(self._plan.portfolio.strategies)
        now = time.monotonic()
        if completed == total or now - self._progress_at >= _PROGRESS_S:
            self._progress_at = now
            progress = pb.PortfolioProgress(completed=completed, total=total)
            self._make(pb.RunPortfolioResponse(progress=progress))

    def _make(self, event: pb.RunPortfolioResponse) -> None:
        self._made.append(LoggedEvent(self._numbered(event)))

    def _numbered(self, event: pb.RunPortfolioResponse) -> bytes:
        """Return an event as the next one, serialized."""
        self._events += 1
        event.sequence = self._events
        return event.SerializeToString()
