"""Single flight: each result is computed once, by one run of a gateway and by one gateway of many."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from google.rpc.status_pb2 import Status

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine.errors import BackcastError
from services.gateway.cache.connection import CacheServer, CacheUnavailable
from services.gateway.cache.flights import READ_BATCH, Completion, Flight, Flights, KeyOutcome, Owner
from services.gateway.cache.leases import LEASE_S, Leases, LeaseState
from services.gateway.cache.result_cache import ResultCache
from services.gateway.cache.result_writer import ResultWriter

_Value = TypeVar("_Value")

# How often the cache is asked for a result that another gateway computes: at first, and at most.
_FIRST_POLL_S, _LONGEST_POLL_S = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed for a key: a result to be cached under `saved_as`, or a failure.

    `saved_as` is the key itself, or the key of newer data that the result was computed from.
    """

    key: str
    saved_as: str = ""
    result: ComputedResult | None = None
    failure: Status | None = None


Compute = Callable[[list[str]], AsyncGenerator[list[Computed]]]
"""Computes keys: yields what was computed for each, in any order, several at a time."""


class SingleFlight:
    """Has results computed once, however many runs want them at the same time."""

    def __init__(self, server: CacheServer, cache: ResultCache) -> None:
        self._server = server
        self._cache = cache
        self._flights = Flights(cache)

    async def outcomes(
        self, versions: Mapping[str, str], compute: Compute
    ) -> AsyncGenerator[list[KeyOutcome]]:
        """Yield the outcome of each key: first of those that nobody computes, by calling `compute`.

        `versions` are those of the data that the run has listed, by key. Raises what `compute` raises, also
        where another run called it, and CacheUnavailable where the cache goes away: the keys without an
        outcome can then be computed without it. Closing the iterator leaves them to other runs.
        """
        missing = dict(versions)
        while missing:
            owner = Owner()
            owned, others = self._flights.join(missing, owner)
            ours = _OwnedFlights(owner, owned, self._flights, compute, Leases(self._server), self._cache)
            for lists in (ours.outcomes(), self._flights.outcomes(others)):
                async with aclosing(lists):
                    async for outcomes in lists:
                        for outcome in outcomes:
                            del missing[outcome.key]
                        yield outcomes


class _OwnedFlights:
    """The flights of one owner."""

    def __init__(
        self,
        owner: Owner,
        flights: dict[str, Flight],
        all_flights: Flights,
        compute: Compute,
        leases: Leases,
        cache: ResultCache,
    ) -> None:
        self._owner = owner
        self._flights = flights
        self._all_flights = all_flights
        self._incomplete = flights.copy()
        self._compute = compute
        self._leases = leases
        self._cache = cache
        self._writer = ResultWriter(cache, self._complete_saved)
        # The keys whose lease this run holds.
        self._leased: set[str] = set()
        # The keys of results that are not written yet, by the key that each is saved as.
        self._unsaved: dict[str, str] = {}

    async def outcomes(self) -> AsyncGenerator[list[KeyOutcome]]:
        """Yield the outcome of each flight; see SingleFlight."""
        if not self._incomplete:
            return
        renewing = asyncio.create_task(self._renew_leases())
        poll_s = _FIRST_POLL_S
        try:
            while self._incomplete:
                to_compute, cached = await self._lease()
                for start in range(0, len(cached), READ_BATCH):
                    batch = cached[start : start + READ_BATCH]
                    results = await self._cache.results(batch)
                    for key in results:
                        self._complete(key, Completion(key))
                    if results:
                        yield self._read(
                            [KeyOutcome(key, result, None, shared=True) for key, result in results.items()]
                        )
                    # A result that is cached and cannot be parsed is computed again.
                    to_compute += [key for key in batch if key not in results]
                if to_compute:
                    async with aclosing(self._computed(to_compute)) as lists:
                        async for outcomes in lists:
                            yield self._read(outcomes)
                elif not cached:
                    # Other gateways compute all of them.
                    await self._waiting_for(asyncio.sleep(poll_s))
                    poll_s = min(2 * poll_s, _LONGEST_POLL_S)
        except BackcastError as error:
            for key in list(self._incomplete):
                self._complete(key, Completion(error=error))
            raise
        finally:
            renewing.cancel()
            try:
                with suppress(CacheUnavailable):
                    await self._release_leases()
            finally:
                self._all_flights.leave(self._flights)

    async def _lease(self) -> tuple[list[str], list[str]]:
        """Take leases; return the keys that this run is to compute, and the keys that are cached by now."""
        keys = list(self._incomplete)
        # All of them, as this may be cancelled before the answer: releasing another's lease does nothing.
        self._leased.update(keys)
        states = dict(zip(keys, await self._leases.take(keys), strict=True))
        to_compute = [key for key, state in states.items() if state is LeaseState.GRANTED]
        self._leased.difference_update(states.keys() - set(to_compute))
        return to_compute, [key for key, state in states.items() if state is LeaseState.CACHED]

    async def _computed(self, keys: list[str]) -> AsyncGenerator[list[KeyOutcome]]:
        async with aclosing(self._compute(keys)) as all_computed:
            try:
                while (computed := await self._waiting_for(anext(all_computed, None))) is not None:
                    for each in computed:
                        if each.result is None:
                            self._complete(each.key, Completion(failure=each.failure))
                        else:
                            self._unsaved[each.saved_as] = each.key
                            await self._writer.add(each.saved_as, each.result.SerializeToString())
                    yield [KeyOutcome(each.key, each.result, each.failure, shared=False) for each in computed]
            except BaseException:
                # Results that were computed until now are saved, and the cause of the end is not hidden.
                with suppress(CacheUnavailable):
                    await self._writer.flush()
                raise
        await self._writer.flush()

    def _read(self, outcomes: list[KeyOutcome]) -> list[KeyOutcome]:
        """Return outcomes for the reader, who may keep this run waiting from now on."""
        self._owner.read_at = time.monotonic()
        return outcomes

    async def _waiting_for(self, awaitable: Awaitable[_Value]) -> _Value:
        """Wait for something other than the reader."""
        self._owner.is_waiting = True
        try:
            return await awaitable
        finally:
            self._owner.is_waiting = False
            self._owner.read_at = time.monotonic()

    def _complete_saved(self, saved: Collection[str]) -> None:
        for saved_as in saved:
            key = self._unsaved.pop(saved_as)
            self._complete(key, Completion(saved_as))
            if key == saved_as:
                self._leased.discard(key)

    def _complete(self, key: str, completion: Completion) -> None:
        flight = self._incomplete.pop(key)
        if not flight.completion.done():
            flight.completion.set_result(completion)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            if (held := self._leased & self._incomplete.keys()) and not self._owner.is_stalled():
                # Where the cache is away, the run will notice that itself.
                with suppress(CacheUnavailable):
                    await self._leases.renew(held)

    async def _release_leases(self) -> None:
        """Release the leases of keys without a result; of the others, nobody asks for a lease any more."""
        if self._leased:
            await self._leases.release(self._leased)
