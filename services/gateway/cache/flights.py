"""Single flight within one gateway: a value that several runs need at the same time is computed once.

A flight is a key that is being computed. The run that computes it is its owner; the other runs are waiters,
which read the result from the cache. A waiter takes over if the owner leaves, or if it stalls because its
client does not read.

Owner and waiters have listed the same version of the data. If candles are imported meanwhile, and the result
is of these, it is newer for all of them. A run that has listed another version waits as one of another
gateway does: it could not know whether the result is older than its own version.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import partial

from google.rpc.status_pb2 import Status

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine.errors import BackcastError
from services.gateway.cache.leases import LEASE_S
from services.gateway.cache.result_cache import ResultCache

# Results are read so many at once: they may have curves.
READ_BATCH = 32


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """The outcome of a key: a result or a failure; `shared` where another run had it computed."""

    key: str
    result: ComputedResult | None
    failure: Status | None
    shared: bool
    of_newer_data: bool = False
    """Whether the result was computed from newer data than the run has listed."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a flight: the key that its result was saved under, its failure, or the owner's error."""

    saved_as: str = ""
    failure: Status | None = None
    error: BackcastError | None = None


@dataclass(slots=True)
class Owner:
    """The run that computes flights; `is_waiting` while it waits for anything but its own reader."""

    is_waiting: bool = False
    read_at: float = field(default_factory=time.monotonic)
    """When its reader took the last outcome, by time.monotonic()."""

    def is_stalled(self) -> bool:
        """Return whether its reader has kept it waiting for as long as a lease lasts."""
        return not self.is_waiting and time.monotonic() - self.read_at > LEASE_S


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """A key that is being computed; `completion` is cancelled where the owner leaves before the end."""

    owner: Owner
    version: str
    completion: "asyncio.Future[Completion]"


class Flights:
    """The flights of a gateway, by key and version of the data."""

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache
        self._flights: dict[tuple[str, str], Flight] = {}

    def join(self, versions: Mapping[str, str], owner: Owner) -> tuple[dict[str, Flight], dict[str, Flight]]:
        """Return new flights of `owner` for the keys that nobody computes, and those of other owners.

        `versions` are those of the data that the owner has listed, by key.
        """
        loop = asyncio.get_running_loop()
        owned, others = {}, {}
        for key, version in versions.items():
            flight = self._flights.get((key, version))
            if flight is None or flight.owner.is_stalled():
                owned[key] = self._flights[key, version] = Flight(owner, version, loop.create_future())
            else:
                others[key] = flight
        return owned, others

    def leave(self, flights: dict[str, Flight]) -> None:
        """End an owner's flights; waiters take over the flights that are not complete."""
        for key, flight in flights.items():
            flight.completion.cancel()
            if self._flights.get((key, flight.version)) is flight:
                del self._flights[key, flight.version]

    async def outcomes(self, flights: dict[str, Flight]) -> AsyncGenerator[list[KeyOutcome]]:
        """Yield the outcomes of other owners' flights, until all are complete or one can be taken over.

        Raises the error of an owner.
        """
        completed: asyncio.Queue[str] = asyncio.Queue()
        for key, flight in flights.items():
            flight.completion.add_done_callback(partial(_put, completed, key))
        waiting = dict(flights)
        while waiting and not any(flight.owner.is_stalled() for flight in waiting.values()):
            batch = await _batch_of(completed)
            if outcomes := await self._read({key: waiting.pop(key) for key in batch}):
                yield outcomes

    async def _read(self, flights: dict[str, Flight]) -> list[KeyOutcome]:
        """Return the outcomes of flights that are complete; those whose owner left have none."""
        outcomes, saved_as = [], {}
        for key, flight in flights.items():
            if flight.completion.cancelled():
                continue
            completion = flight.completion.result()
            if completion.error:
                raise completion.error
            if completion.failure:
                outcomes.append(KeyOutcome(key, None, completion.failure, shared=True))
            else:
                saved_as[key] = completion.saved_as
        results = await self._cache.results(list(saved_as.values()))
        return outcomes + [
            KeyOutcome(key, results[saved], None, shared=True, of_newer_data=saved != key)
            for key, saved in saved_as.items()
            if saved in results
        ]


def _put(completed: "asyncio.Queue[str]", key: str, _: "asyncio.Future[Completion]") -> None:
    completed.put_nowait(key)


async def _batch_of(completed: "asyncio.Queue[str]") -> list[str]:
    """Return keys whose flights are complete; none where no flight has completed for a while."""
    try:
        batch = [await asyncio.wait_for(completed.get(), LEASE_S / 3)]
    except TimeoutError:
        return []
    while not completed.empty() and len(batch) < READ_BATCH:
        batch.append(completed.get_nowait())
    return batch
