"""A run: cached results first, the others as compute completes them, then the summary."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import structlog
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics
from backcast.gateway.v1 import run_events_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from services.compute.engine.results import METRIC_NAMES
from services.gateway.cache_key import CacheKeys
from services.gateway.compute_client import ComputeClient
from services.gateway.messages import run_request_to
from services.gateway.plan import CacheMode, CryptoData, RunPlan
from services.gateway.result_cache import ResultCache
from services.gateway.statistics import mean_and_median
from services.shared.errors import Unavailable

_log = structlog.get_logger()

# New results are written to the cache in batches: a round trip for each would slow the stream down.
_WRITE_BATCH = 32


class Run:
    """One run of one client."""

    def __init__(self, plan: RunPlan, cache: ResultCache, compute: ComputeClient, arrived_at: float) -> None:
        """`arrived_at` is when the request came, by time.monotonic()."""
        self._plan = plan
        self._cache = cache
        self._compute = compute
        self._keys = CacheKeys(plan.backtest)
        self._by_symbol = {crypto.symbol: crypto for crypto in plan.cryptos}
        self._arrived_at = arrived_at
        self._progress = pb.Progress(total=len(plan.cryptos))
        self._cache_state = (
            pb.CACHE_STATE_BYPASSED if plan.cache_mode is CacheMode.BYPASS else pb.CACHE_STATE_USED
        )
        self._unsaved: dict[str, bytes] = {}
        # Of all results: what the summary is made of.
        self._symbols: list[str] = []
        self._metrics: list[list[float]] = []

    async def events(self) -> AsyncGenerator[RunBacktestsResponse]:
        """Yield the run's events; closing the iterator cancels what is still being computed."""
        yield RunBacktestsResponse(
            started=RunStarted(request=run_request_to(self._plan), total=len(self._plan.cryptos)),
            progress=self._progress,
        )
        missing = []
        for crypto, cached in zip(self._plan.cryptos, await self._read_cache(), strict=True):
            if cached is None:
                missing.append(crypto)
            else:
                yield self._completed(cached)
        if missing:
            async with aclosing(self._compute.outcomes(self._plan.backtest, missing)) as outcomes:
                async for outcome in outcomes:
                    if outcome.HasField("failure"):
                        yield self._failed(
                            pb.RunFailure(symbol=outcome.failure.symbol, status=outcome.failure.status)
                        )
                    else:
                        await self._save(outcome.result)
                        yield self._completed(outcome.result)
            await self._flush()
        yield RunBacktestsResponse(summary=self._summary(), progress=self._progress)

    def _completed(self, result: BacktestResult) -> RunBacktestsResponse:
        self._progress.completed += 1
        self._progress.from_cache += result.from_cache
        self._symbols.append(result.symbol)
        metrics = result.metrics
        self._metrics.append(
            [getattr(metrics, name) if metrics.HasField(name) else np.nan for name in METRIC_NAMES]  # type: ignore[arg-type]  # names of its fields
        )
        return RunBacktestsResponse(result=result, progress=self._progress)

    def _failed(self, failure: pb.RunFailure) -> RunBacktestsResponse:
        self._progress.failed += 1
        return RunBacktestsResponse(failure=failure, progress=self._progress)

    async def _read_cache(self) -> list[BacktestResult | None]:
        """Return the cached result of each crypto, None where there is none."""
        cryptos = self._plan.cryptos
        if self._cache_state != pb.CACHE_STATE_USED:
            return [None] * len(cryptos)
        try:
            values = await self._cache.get(
                [self._keys.key(crypto.symbol, crypto.seen_fingerprint) for crypto in cryptos]
            )
        except Unavailable as error:
            self._lost_cache(error)
            return [None] * len(cryptos)
        return [
            None if value is None else _cached_result(value, crypto)
            for value, crypto in zip(values, cryptos, strict=True)
        ]

    async def _save(self, result: BacktestResult) -> None:
        """Keep a new result, under the key of the data that it was really computed from."""
        if self._cache_state != pb.CACHE_STATE_USED:
            return
        fingerprint = self._by_symbol[result.symbol].fingerprint_of_result(result.data_fingerprint)
        self._unsaved[self._keys.key(result.symbol, fingerprint)] = result.SerializeToString()
        if len(self._unsaved) >= _WRITE_BATCH:
            await self._flush()

    async def _flush(self) -> None:
        if self._unsaved:
            try:
                await self._cache.put(self._unsaved)
            except Unavailable as error:
                self._lost_cache(error)
        self._unsaved.clear()

    def _lost_cache(self, error: Unavailable) -> None:
        """Go on without the cache, and say so in the summary."""
        _log.warning("running without the cache", reason=str(error))
        self._cache_state = pb.CACHE_STATE_UNAVAILABLE

    def _summary(self) -> pb.RunSummary:
        elapsed = Duration()
        elapsed.FromNanoseconds(int((time.monotonic() - self._arrived_at) * 1e9))
        summary = pb.RunSummary(progress=self._progress, elapsed=elapsed, cache_state=self._cache_state)
        if self._metrics:
            # In the order of symbols, not of arrival: sums round, and of equals one is the best.
            by_symbol = sorted(range(len(self._symbols)), key=self._symbols.__getitem__)
            symbols = [self._symbols[index] for index in by_symbol]
            values = np.array([self._metrics[index] for index in by_symbol])
            for target, numbers in zip((summary.mean, summary.median), mean_and_median(values), strict=True):
                target.CopyFrom(Metrics(**dict(zip(METRIC_NAMES, numbers, strict=True))))
            returns = values[:, METRIC_NAMES.index("total_return")]
            # Undefined where prices are so extreme that it overflows.
            if not np.isnan(returns).all():
                for ranked, index in (
                    (summary.best, np.nanargmax(returns)),
                    (summary.worst, np.nanargmin(returns)),
                ):
                    ranked.symbol = symbols[index]
                    ranked.total_return = returns[index]
        return summary


def _cached_result(value: bytes, crypto: CryptoData) -> BacktestResult | None:
    try:
        result = BacktestResult.FromString(value)
    except DecodeError:
        return None
    result.from_cache = True
    # It may have been computed before candles were added that it does not see.
    result.data_fingerprint = crypto.fingerprint
    return result
