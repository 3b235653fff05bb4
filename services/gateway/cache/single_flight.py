"""Computes what nobody else is computing: in this gateway, as its flights tell, and in others, by claims."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from services.domain.errors import BackcastError
from services.gateway.cache.cached_results import CachedResults
from services.gateway.cache.connection import CacheServer, CacheUnavailable
from services.gateway.cache.flights import Arrival, Crew, Flight, Flights, Landing
from services.gateway.cache.leases import LEASE_S, Claim, Claims
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.result_writer import ResultWriter

_Value = TypeVar("_Value")

# How long a result that another gateway computes may be there before it is seen.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Computed:
    """What came of a key: a result to be kept under `saved_as`, or why there is none.

    `saved_as` is the key itself, or that of newer data which the result was computed from.
    """

    key: str
    saved_as: str = ""
    result: BacktestResult | None = None
    failure: Status | None = None


Compute = Callable[[list[str]], AsyncGenerator[Computed]]
"""Yields what comes of each of the keys, in any order."""


class SingleFlight:
    """Has results computed once, whoever wants them at the same time."""

    def __init__(self, server: CacheServer, cache: ResultCache, results: CachedResults) -> None:
        self._server = server
        self._cache = cache
        self._results = results
        self._flights = Flights(results)

    async def arrivals(self, keys: Iterable[str], compute: Compute) -> AsyncGenerator[Arrival]:
        """Yield what comes of each key: first of those that nobody is at, which `compute` computes.

        Raises what `compute` raises, also where another run called it, and CacheUnavailable where the cache
        goes away: what has not arrived yet can be computed without it. Closing the iterator leaves what has
        not arrived to others.
        """
        wanted = dict.fromkeys(keys)
        while wanted:
            crew = Crew()
            ours, theirs = self._flights.board(wanted, crew)
            own = _OwnFlights(crew, ours, compute, Claims(self._server), self._results, self._cache)
            try:
                async with aclosing(own.arrivals()) as arrivals:
                    async for arrival in arrivals:
                        del wanted[arrival.key]
                        yield arrival
            finally:
                self._flights.leave(ours)
            async with aclosing(self._flights.arrivals(theirs)) as arrivals:
                async for arrival in arrivals:
                    del wanted[arrival.key]
                    yield arrival


class _OwnFlights:
    """The flights of one crew."""

    def __init__(
        self,
        crew: Crew,
        flights: dict[str, Flight],
        compute: Compute,
        claims: Claims,
        results: CachedResults,
        cache: ResultCache,
    ) -> None:
        self._crew = crew
        # Those that have not landed.
        self._flights = flights.copy()
        self._compute = compute
        self._claims = claims
        self._results = results
        self._writer = ResultWriter(cache, self._land_saved)
        self._claimed: set[str] = set()
        # The keys of results that are not written yet, by what they are saved as.
        self._unsaved: dict[str, str] = {}

    async def arrivals(self) -> AsyncGenerator[Arrival]:
        """Yield what comes of each; see SingleFlight."""
        if not self._flights:
            return
        renewing = asyncio.create_task(self._renew())
        look_s = _FIRST_LOOK_S
        try:
            while self._flights:
                mine, there = await self._take()
                results = await self._results.read({key: key for key in there})
                for key, result in results.items():
                    self._land(key, Landing(key))
                    yield self._seen(Arrival(key, result, None, shared=True))
                # What is there and cannot be read is computed anew.
                mine += [key for key in there if key not in results]
                if mine:
                    async with aclosing(self._computed(mine)) as arrivals:
                        async for arrival in arrivals:
                            yield self._seen(arrival)
                elif not there:
                    # Another gateway is at all of them.
                    await self._patiently(asyncio.sleep(look_s))
                    look_s = min(2 * look_s, _LONGEST_LOOK_S)
        except BackcastError as error:
            for key in list(self._flights):
                self._land(key, Landing(error=error))
            raise
        finally:
            renewing.cancel()
            with suppress(CacheUnavailable):
                await self._release()

    async def _take(self) -> tuple[list[str], list[str]]:
        """Return which keys are ours to compute, and which are in the cache by now."""
        keys = list(self._flights)
        # All of them, for this may be cancelled with the answer on its way: what is not ours is not released.
        self._claimed.update(keys)
        claims = await self._claims.take(keys)
        mine = [key for key, claim in zip(keys, claims, strict=True) if claim is Claim.OURS]
        there = [key for key, claim in zip(keys, claims, strict=True) if claim is Claim.DONE]
        self._claimed.difference_update(
            key for key, claim in zip(keys, claims, strict=True) if claim is not Claim.OURS
        )
        return mine, there

    async def _computed(self, keys: list[str]) -> AsyncGenerator[Arrival]:
        async with aclosing(self._compute(keys)) as outcomes:
            try:
                while (outcome := await self._patiently(anext(outcomes, None))) is not None:
                    if outcome.result is None:
                        self._land(outcome.key, Landing(failure=outcome.failure))
                    else:
                        self._unsaved[outcome.saved_as] = outcome.key
                        await self._writer.add(outcome.saved_as, outcome.result.SerializeToString())
                    yield Arrival(outcome.key, outcome.result, outcome.failure, shared=False)
            except BaseException:
                # What was computed until now is not lost, and what ends this is not hidden.
                with suppress(CacheUnavailable):
                    await self._writer.flush()
                raise
        await self._writer.flush()

    def _seen(self, arrival: Arrival) -> Arrival:
        """Return an arrival for the reader, who may keep us waiting from now on."""
        self._crew.seen_at = time.monotonic()
        return arrival

    async def _patiently(self, awaitable: Awaitable[_Value]) -> _Value:
        """Wait for what is no fault of the reader's."""
        self._crew.is_waiting = True
        try:
            return await awaitable
        finally:
            self._crew.is_waiting = False
            self._crew.seen_at = time.monotonic()

    def _land_saved(self, keys: Collection[str]) -> None:
        for saved_as in keys:
            key = self._unsaved.pop(saved_as)
            self._land(key, Landing(saved_as))
            if key == saved_as:
                self._claimed.discard(key)

    def _land(self, key: str, landing: Landing) -> None:
        flight = self._flights.pop(key)
        if not flight.landing.done():
            flight.landing.set_result(landing)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            if (held := self._claimed & self._flights.keys()) and not self._crew.stands_still():
                # Where it is away, the run will see that itself.
                with suppress(CacheUnavailable):
                    await self._claims.renew(held)

    async def _release(self) -> None:
        """Give back what no result came of; the others' results are there, and nobody asks for a claim."""
        if self._claimed:
            await self._claims.release(self._claimed)
