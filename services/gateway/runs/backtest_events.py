"""The events of a run of backtests: cached results first, then the others as they complete, and a summary."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import run_events_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from services.engine import Detail
from services.gateway.api.messages import left_out_to, run_request_to
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.keys import ResultKeys
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import Computed, SingleFlight
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.report import RunReport
from services.gateway.runs.totals import RunTotals
from services.gateway.upstream.compute import ComputeClient
from services.wire.result_parts import result_fields

# Cached results are read so many at once: the metrics of most runs in one round trip; of trades and curves,
# which are a thousand times longer, only as many as are sent soon.
_READ_BATCH, _LONG_READ_BATCH = 1_024, 16


class BacktestEvents:
    """The events of one run, and what has been sent of them."""

    def __init__(
        self,
        plan: RunPlan,
        cache: ResultCache,
        single_flight: SingleFlight,
        compute: ComputeClient,
        report: RunReport,
        arrived_at: float,
    ) -> None:
        """`arrived_at` is when the request came, by time.monotonic(); `report` is kept up to date."""
        self._plan = plan
        self._cache = RunCache(cache, plan.cache_mode)
        self._single_flight = single_flight
        self._compute = compute
        self._report = report
        self._arrived_at = arrived_at
        self._keys = ResultKeys(plan.backtest)
        self._progress = pb.Progress(total=len(plan.cryptos))
        # The cryptos that have no event yet, by the key of the result.
        self._pending: dict[str, CryptoData] = {}
        # The parts that have no event yet, of the last result, as fields of their events.
        self._parts: Iterator[dict[str, Any]] = iter(())
        self._events = 0
        self._is_summed_up = False
        self._totals = RunTotals()
        report.total = len(plan.cryptos)

    async def events(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield the events that have not been yielded before; see Run.

        Closing the iterator cancels what is being computed for it.
        """
        if not self._events:
            yield self._started()
        # The iterator before may have been closed within a result.
        for part in self._parts:
            yield self._numbered(**part)
        for keys in self._batches_to_read():
            for key, result in (await self._cached(keys)).items():
                yield self._completed(key, result)
                for part in self._parts:
                    yield self._numbered(**part)
        if self._plan.cache_mode is CacheMode.ONLY:
            for key in list(self._pending):
                yield self._failed(key, self._cache.absence("its result is"))
        elif self._pending:
            async with aclosing(self._computed()) as events:
                async for event in events:
                    yield event
                    for part in self._parts:
                        yield self._numbered(**part)
        if not self._is_summed_up:
            # The iterator may be closed while the summary is sent, and another one opened.
            self._is_summed_up = True
            yield self._numbered(summary=self._summary())

    def _started(self) -> RunBacktestsResponse:
        cryptos, run_id = self._plan.cryptos, self._report.run_id
        self._pending = {self._keys.key(crypto, crypto.seen_fingerprint): crypto for crypto in cryptos}
        started = RunStarted(
            request=run_request_to(self._plan, run_id),
            crypto_count=self._report.total,
            run_id=run_id,
            left_out=left_out_to(self._plan),
            cryptos_with_later_candles=self._plan.with_later_candles,
        )
        return self._numbered(started=started)

    def _batches_to_read(self) -> Iterator[list[str]]:
        """Yield the keys that are to be read from the cache, batch by batch."""
        keys = list(self._pending)
        size = _READ_BATCH if self._plan.backtest.detail is Detail.METRICS else _LONG_READ_BATCH
        for start in range(0, len(keys), size):
            if self._cache.is_read:
                yield keys[start : start + size]

    async def _cached(self, keys: list[str]) -> dict[str, BacktestResult]:
        """Return the results of a batch that are in the cache, by their keys."""
        began = time.monotonic()
        results = await self._cache.results(keys)
        if self._cache.is_used:
            phases_s = self._report.phases_s
            phases_s["cache"] = phases_s.get("cache", 0.0) + time.monotonic() - began
        for key, result in results.items():
            result.data_fingerprint = self._fingerprint_of_shared(key)
        return results

    async def _computed(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield the events of results that are not cached.

        They are computed once for all runs that want them at the same time; for this run alone where it does
        not read the cache, through which runs share results.
        """
        if self._cache.is_read:
            try:
                versions = {key: crypto.fingerprint for key, crypto in self._pending.items()}
                shared = self._single_flight.outcomes(versions, self._outcomes)
                async with aclosing(shared) as outcomes:
                    async for outcome in outcomes:
                        if outcome.shared and outcome.result is not None:
                            self._report.shared += 1
                            if not outcome.of_newer_data:
                                outcome.result.data_fingerprint = self._fingerprint_of_shared(outcome.key)
                        yield self._event(outcome.key, outcome.result, outcome.failure)
                return
            except CacheUnavailable as error:
                self._cache.lose(error)
        try:
            async with aclosing(self._outcomes(list(self._pending))) as all_computed:
                async for computed in all_computed:
                    if computed.result is not None:
                        await self._cache.put(computed.saved_as, computed.result)
                    yield self._event(computed.key, computed.result, computed.failure)
        finally:
            await self._cache.flush()

    def _fingerprint_of_shared(self, key: str) -> str:
        """Return the fingerprint of a result that was not computed for this run: that of the listed data.

        The result may have been computed from an older version, whose later candles it does not see.
        """
        return self._pending[key].fingerprint

    async def _outcomes(self, keys: list[str]) -> AsyncGenerator[Computed]:
        """Have results computed; each is saved under the key of the version that it was computed from."""
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

    def _summary(self) -> pb.RunSummary:
        elapsed = Duration()
        elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
        summary = pb.RunSummary(progress=self._progress, elapsed=elapsed, cache_state=self._cache.state)
        self._totals.fill(summary)
        return summary
