"""A run: cached results first, the others as compute completes them, then the summary."""

import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing
from typing import Any

import structlog
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import NOT_FOUND
from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import run_events_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from services.engine import Detail
from services.gateway.api.messages import left_out_to, run_request_to
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.key import CacheKeys
from services.gateway.cache.result_store import ResultStore
from services.gateway.cache.result_writer import ResultWriter
from services.gateway.cache.single_flight import Computed
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.run_report import RunReport
from services.gateway.runs.totals import RunTotals
from services.gateway.upstream.compute import ComputeClient
from services.wire.result_parts import result_fields

_log = structlog.get_logger()

_READS = (CacheMode.DEFAULT, CacheMode.ONLY)
# Results are read so many at once: metrics of most runs in one round trip; of curves and trades, which are
# a thousand times longer, no more than is sent soon.
_READ_BATCH, _LONG_READ_BATCH = 1_024, 16


class Run:
    """One run of one client."""

    def __init__(
        self, plan: RunPlan, store: ResultStore, compute: ComputeClient, report: RunReport, arrived_at: float
    ) -> None:
        """`arrived_at` is when the request came, by time.monotonic(); `report` is kept up to date."""
        self._plan = plan
        self._store = store
        self._compute = compute
        self._report = report
        self._arrived_at = arrived_at
        self._keys = CacheKeys(plan.backtest)
        self._progress = pb.Progress(total=len(plan.cryptos))
        self._cache_state = (
            pb.CACHE_STATE_BYPASSED if plan.cache_mode is CacheMode.BYPASS else pb.CACHE_STATE_USED
        )
        # The cryptos that have no event yet, by the key of the result.
        self._pending: dict[str, CryptoData] = {}
        # The parts of a result that have no event yet, as fields of their events.
        self._parts: Iterator[dict[str, Any]] = iter(())
        self._events = 0
        self._is_summed_up = False
        self._totals = RunTotals()
        report.total = len(plan.cryptos)

    async def events(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield the run's events; closing the iterator cancels what is still being computed.

        Another iterator goes on where that one was.
        """
        if not self._events:
            self._pending = {
                self._keys.key(crypto, crypto.seen_fingerprint): crypto for crypto in self._plan.cryptos
            }
            run_id = self._report.run_id
            started = RunStarted(
                request=run_request_to(self._plan, run_id),
                total=self._report.total,
                run_id=run_id,
                left_out=left_out_to(self._plan),
                with_later_candles=self._plan.with_later_candles,
            )
            yield self._numbered(started=started)
        for part in self._parts:
            yield self._numbered(**part)
        async for event in self._cached():
            yield event
            for part in self._parts:
                yield self._numbered(**part)
        if self._pending:
            async with aclosing(self._others()) as events:
                async for event in events:
                    yield event
                    for part in self._parts:
                        yield self._numbered(**part)
        if not self._is_summed_up:
            # It may be closed with the summary on its way out, and opened again.
            self._is_summed_up = True
            yield self._numbered(summary=self._summary())

    @property
    def _uses_cache(self) -> bool:
        return self._cache_state == pb.CACHE_STATE_USED

    async def _cached(self) -> AsyncGenerator[RunBacktestsResponse]:
        if self._plan.cache_mode not in _READS:
            return
        began = time.monotonic()
        keys = list(self._pending)
        size = _READ_BATCH if self._plan.backtest.detail is Detail.METRICS else _LONG_READ_BATCH
        for start in range(0, len(keys), size):
            batch = keys[start : start + size]
            if not self._uses_cache:
                return
            try:
                results = await self._store.results.read(dict(zip(batch, batch, strict=True)))
            except CacheUnavailable as error:
                self._lost_cache(error)
                return
            self._report.phases_s["cache"] = time.monotonic() - began
            for key, result in results.items():
                # It may have been computed before candles were added that it does not see.
                result.data_fingerprint = self._pending[key].fingerprint
                yield self._completed(key, result)

    def _others(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield the events of what is not in the cache."""
        if self._plan.cache_mode is CacheMode.ONLY:
            return self._absent()
        if self._plan.cache_mode is CacheMode.DEFAULT and self._uses_cache:
            return self._shared()
        return self._computed()

    async def _absent(self) -> AsyncGenerator[RunBacktestsResponse]:
        why = "is not in the cache" if self._uses_cache else "is not to be had: the cache does not answer"
        for key in list(self._pending):
            yield self._failed(key, Status(code=NOT_FOUND, message=f"its result {why}"))

    async def _shared(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield what is computed once, for whoever else wants it too; without the cache, for this run."""
        try:
            async with aclosing(
                self._store.single_flight.arrivals(self._pending, self._outcomes)
            ) as arrivals:
                async for arrival in arrivals:
                    if arrival.shared and arrival.result is not None:
                        self._report.shared += 1
                        # As with what was in the cache: the other run may have begun on older data.
                        arrival.result.data_fingerprint = self._pending[arrival.key].fingerprint
                    yield self._event(arrival.key, arrival.result, arrival.failure)
        except CacheUnavailable as error:
            self._lost_cache(error)
            async with aclosing(self._computed()) as events:
                async for event in events:
                    yield event

    async def _computed(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield what is computed for this run, and kept where the cache is to be refreshed."""
        writer = ResultWriter(self._store.cache)
        try:
            async with aclosing(self._outcomes(list(self._pending))) as outcomes:
                async for outcome in outcomes:
                    if self._uses_cache and outcome.result is not None:
                        value = outcome.result.SerializeToString()
                        await self._written(writer.add(outcome.saved_as, value))
                    yield self._event(outcome.key, outcome.result, outcome.failure)
        finally:
            await self._written(writer.flush())

    async def _written(self, writing: Coroutine[Any, Any, None]) -> None:
        try:
            await writing
        except CacheUnavailable as error:
            self._lost_cache(error)

    async def _outcomes(self, keys: list[str]) -> AsyncGenerator[Computed]:
        """Have results computed; each is to be kept under the key of the data that it is really made of."""
        cryptos = {self._pending[key].symbol: (key, self._pending[key]) for key in keys}
        wanted = [crypto for _, crypto in cryptos.values()]
        async with aclosing(self._compute.outcomes(self._plan.backtest, wanted)) as outcomes:
            async for outcome in outcomes:
                if outcome.HasField("failure"):
                    key, _ = cryptos[outcome.failure.symbol]
                    yield Computed(key, failure=outcome.failure.status)
                else:
                    key, crypto = cryptos[outcome.result.symbol]
                    fingerprint = crypto.fingerprint_of_result(outcome.result.data_fingerprint)
                    yield Computed(key, self._keys.key(crypto, fingerprint), outcome.result)

    def _event(self, key: str, result: BacktestResult | None, failure: Status | None) -> RunBacktestsResponse:
        return self._failed(key, failure or Status()) if result is None else self._completed(key, result)

    def _completed(self, key: str, result: BacktestResult) -> RunBacktestsResponse:
        del self._pending[key]
        self._progress.completed += 1
        self._progress.from_cache += result.from_cache
        self._report.completed, self._report.from_cache = self._progress.completed, self._progress.from_cache
        self._report.phases_s.setdefault("first_result", time.monotonic() - self._arrived_at)
        self._totals.add(result)
        self._parts = result_fields(result)
        return self._numbered(**next(self._parts))

    def _failed(self, key: str, status: Status) -> RunBacktestsResponse:
        crypto = self._pending.pop(key)
        self._progress.failed += 1
        self._report.failed = self._progress.failed
        return self._numbered(failure=pb.RunFailure(symbol=crypto.symbol, status=status))

    def _numbered(self, **event: Any) -> RunBacktestsResponse:
        self._events += 1
        return RunBacktestsResponse(**event, progress=self._progress, sequence=self._events)

    def _lost_cache(self, error: CacheUnavailable) -> None:
        """Go on without the cache, and say so in the summary."""
        if self._uses_cache:
            _log.warning("running without the cache", reason=str(error))
        self._cache_state = pb.CACHE_STATE_UNAVAILABLE

    def _summary(self) -> pb.RunSummary:
        elapsed = Duration()
        elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
        summary = pb.RunSummary(progress=self._progress, elapsed=elapsed, cache_state=self._cache_state)
        self._totals.fill(summary)
        return summary
