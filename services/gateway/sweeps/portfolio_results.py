"""The results of a sweep's portfolios: cached ones first, then the others as compute completes them."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio
from services.gateway.cache.connection import CacheUnavailable
from services.gateway.cache.keys import PortfolioKeys
from services.gateway.cache.run_cache import RunCache
from services.gateway.cache.single_flight import Computed, SingleFlight
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.planning.run_plan import CacheMode
from services.gateway.upstream.compute import ComputeClient

# Metrics of some hundred cryptos are some 30 kB: so many in one round trip are 2 MB to read.
_READ_BATCH = 64

# A combination, and the number of a part of the window.
_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SweptResult:
    """A portfolio of a sweep that is done: its combination, and the number of its part of the window.

    `metrics` are float64 in the order of METRIC_NAMES, or None where it failed.
    """

    combination: int
    window: int
    metrics: NDArray[np.float64] | None
    failure: Status | None
    from_cache: bool


class PortfolioResults:
    """The results of portfolios of one sweep, each computed once for all runs that want it."""

    def __init__(
        self,
        plan: PortfolioSweepPlan,
        combinations: range,
        cache: RunCache,
        single_flight: SingleFlight,
        compute: ComputeClient,
    ) -> None:
        """Only some `combinations` of the plan are computed."""
        self._plan = plan
        self._cache = cache
        self._single_flight = single_flight
        self._compute = compute
        self._keys = PortfolioKeys(plan.run, plan.cryptos)
        # Window by window: those of one batch of compute are in the same one.
        self._wanted = [
            (combination, window) for window in range(len(plan.windows)) for combination in combinations
        ]
        # The combinations and windows that have no result yet, by key: several are the same portfolio where
        # they differ in what makes no difference.
        self._missing: dict[str, list[_Place]] = {}

    async def results(self) -> AsyncGenerator[SweptResult]:
        """Yield every result once; closing the iterator cancels what is being computed.

        Results that were computed until then are in the cache.
        """
        for start in range(0, len(self._wanted), _READ_BATCH):
            batch = self._wanted[start : start + _READ_BATCH]
            # A thread makes the keys: other clients are served meanwhile.
            keys = await asyncio.to_thread(self._keys_of, batch)
            cached = await self._cache.results(keys)
            for key, place in zip(keys, batch, strict=True):
                if key in cached:
                    yield _done(place, cached[key], None, from_cache=True)
                else:
                    self._missing.setdefault(key, []).append(place)
        if self._plan.run.cache_mode is CacheMode.ONLY:
            status = self._cache.absence("its result is")
            for places in self._missing.values():
                for place in places:
                    yield SweptResult(*place, None, status, from_cache=False)
        elif self._missing:
            async with aclosing(self._computed()) as computed:
                async for result in computed:
                    yield result

    def _portfolios_of(self, places: list[_Place]) -> list[Portfolio]:
        return [self._plan.portfolio(*place) for place in places]

    def _keys_of(self, places: list[_Place]) -> list[str]:
        return [self._keys.key(portfolio) for portfolio in self._portfolios_of(places)]

    async def _computed(self) -> AsyncGenerator[SweptResult]:
        """Yield what is not cached; as other portfolios, each is computed once for all runs that want it."""
        if self._cache.is_read:
            data = (*self._plan.cryptos, *self._plan.run.others)
            version = ",".join(crypto.fingerprint for crypto in data)
            versions = dict.fromkeys(self._missing, version)
            try:
                async with aclosing(self._single_flight.outcomes(versions, self._outcomes)) as lists:
                    async for outcomes in lists:
                        for outcome in outcomes:
                            for place in self._missing.pop(outcome.key):
                                yield _done(place, outcome.result, outcome.failure, from_cache=outcome.shared)
                return
            except CacheUnavailable as error:
                self._cache.lose(error)
        try:
            async with aclosing(self._outcomes([*self._missing])) as all_computed:
                async for computed in all_computed:
                    for each in computed:
                        if each.result is not None:
                            await self._cache.put(each.saved_as, each.result)
                        for place in self._missing.pop(each.key):
                            yield _done(place, each.result, each.failure, from_cache=False)
        finally:
            await self._cache.flush()

    async def _outcomes(self, keys: list[str]) -> AsyncGenerator[list[Computed]]:
        """Have results computed, some portfolios at a time.

        Each is saved under the key of the versions that it was computed from.
        """
        plan, places = self._plan, {key: self._missing[key][0] for key in keys}
        for batch in self._batches(places):
            portfolios = await asyncio.to_thread(self._portfolios_of, [places[key] for key in batch])
            found = self._compute.portfolios(portfolios, plan.cryptos, plan.run.others)
            async with aclosing(found) as responses:
                async for response in responses:
                    if response.HasField("completed_crypto_count"):
                        continue
                    key, portfolio = batch[response.portfolio], portfolios[response.portfolio]
                    if response.HasField("failure"):
                        yield [Computed(key, failure=response.failure)]
                        continue
                    newer = {crypto.symbol: crypto.fingerprint for crypto in response.newer_cryptos}
                    yield [Computed(key, self._keys.key(portfolio, newer), response.result)]

    def _batches(self, places: dict[str, _Place]) -> Iterator[list[str]]:
        """Yield keys of one part of the window and one interval, as compute is asked for them together.

        They come in order of combinations: neighbours often share signals.
        """
        together: dict[tuple[int, Interval], list[str]] = {}
        for key, (combination, window) in sorted(places.items(), key=itemgetter(1)):
            together.setdefault((window, self._plan.interval(combination)), []).append(key)
        for those in together.values():
            for start in range(0, len(those), self._plan.at_once):
                yield those[start : start + self._plan.at_once]


def _done(
    place: _Place, result: ComputedResult | None, failure: Status | None, *, from_cache: bool
) -> SweptResult:
    if result is None:
        return SweptResult(*place, None, failure or Status(), from_cache=False)
    return SweptResult(*place, np.frombuffer(result.metrics, "<f8"), None, from_cache)
