"""What several runs of a gateway want at the same time is computed once: the others read it from the cache.

A key that is being computed is a flight, and the run that computes it its crew. Whoever waits for a flight
takes over where the crew leaves, or stands still because its reader does.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from services.domain.errors import BackcastError
from services.gateway.cache.cached_results import CachedResults
from services.gateway.cache.leases import LEASE_S

# What was saved is read so much at once: it may be curves.
_READ_BATCH = 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a key: a result, or why there is none; `shared` where another run had it computed."""

    key: str
    result: BacktestResult | None
    failure: Status | None
    shared: bool


@dataclass(frozen=True, slots=True)
class Landing:
    """The end of a flight: the key that its result was saved under, or what went wrong for all who wait."""

    saved_as: str = ""
    failure: Status | None = None
    error: BackcastError | None = None


@dataclass(slots=True)
class Crew:
    """The run that computes; it stands still while it neither works nor waits for what it cannot hurry."""

    is_waiting: bool = False
    seen_at: float = field(default_factory=time.monotonic)

    def stands_still(self) -> bool:
        """Return whether its reader has left it standing for as long as a claim holds."""
        return not self.is_waiting and time.monotonic() - self.seen_at > LEASE_S


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """A key that is being computed; its landing is cancelled where the crew leaves before the end."""

    crew: Crew
    landing: "asyncio.Future[Landing]"


class Flights:
    """The flights of a gateway, by key."""

    def __init__(self, results: CachedResults) -> None:
        self._results = results
        self._by_key: dict[str, Flight] = {}

    def board(self, keys: Iterable[str], crew: Crew) -> tuple[dict[str, Flight], dict[str, Flight]]:
        """Return new flights of the keys that nobody is at, and those of the others."""
        loop = asyncio.get_running_loop()
        ours, theirs = {}, {}
        for key in keys:
            flight = self._by_key.get(key)
            if flight is None or flight.crew.stands_still():
                ours[key] = self._by_key[key] = Flight(crew, loop.create_future())
            else:
                theirs[key] = flight
        return ours, theirs

    def leave(self, flights: dict[str, Flight]) -> None:
        """End a crew's flights; those that have not landed are anybody's now."""
        for key, flight in flights.items():
            flight.landing.cancel()
            if self._by_key.get(key) is flight:
                del self._by_key[key]

    async def arrivals(self, flights: dict[str, Flight]) -> AsyncGenerator[Arrival]:
        """Yield what comes of the flights of others, until all have landed, or some are anybody's.

        Raises the error that a crew met.
        """
        landed: asyncio.Queue[str] = asyncio.Queue()
        for key, flight in flights.items():
            flight.landing.add_done_callback(partial(_put, landed, key))
        waiting = dict(flights)
        while waiting and not any(flight.crew.stands_still() for flight in waiting.values()):
            batch = await _batch_of(landed)
            async with aclosing(self._arrived({key: waiting.pop(key) for key in batch})) as arrived:
                async for arrival in arrived:
                    yield arrival

    async def _arrived(self, flights: dict[str, Flight]) -> AsyncGenerator[Arrival]:
        saved_as = {}
        for key, flight in flights.items():
            if flight.landing.cancelled():
                continue
            landing = flight.landing.result()
            if landing.error:
                raise landing.error
            if landing.failure:
                yield Arrival(key, None, landing.failure, shared=True)
            else:
                saved_as[key] = landing.saved_as
        for key, result in (await self._results.read(saved_as)).items():
            yield Arrival(key, result, None, shared=True)


def _put(landed: "asyncio.Queue[str]", key: str, _: "asyncio.Future[Landing]") -> None:
    landed.put_nowait(key)


async def _batch_of(landed: "asyncio.Queue[str]") -> list[str]:
    """Return keys that have landed; none where none has for a while."""
    try:
        batch = [await asyncio.wait_for(landed.get(), LEASE_S / 3)]
    except TimeoutError:
        return []
    while not landed.empty() and len(batch) < _READ_BATCH:
        batch.append(landed.get_nowait())
    return batch
