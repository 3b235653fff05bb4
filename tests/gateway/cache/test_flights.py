"""Flights: a key that several runs of a gateway want is computed by one, its owner; the others wait."""

import asyncio
from contextlib import aclosing

import pytest
from google.rpc.status_pb2 import Status

from services.domain.errors import Unavailable
from services.gateway.cache.connection import CacheServer
from services.gateway.cache.flights import Completion, Flight, Flights, KeyOutcome, Owner
from services.gateway.cache.leases import LEASE_S
from services.gateway.cache.result_cache import ResultCache
from services.local.valkey import EmbeddedValkey
from tests.gateway.computed import computed_result
from tests.gateway.shifted_clock import ShiftedClock
from tests.waiting import LIMIT_S

# A loop of each test's own, whose clock it sets.
pytestmark = pytest.mark.asyncio(loop_scope="function")

# Nobody asks the cache in a test that saves nothing.
NO_CACHE = "redis://127.0.0.1:1"


def of_version(version: str, *keys: str) -> dict[str, str]:
    return dict.fromkeys(keys, version)


def flights_of(url: str = NO_CACHE) -> Flights:
    return Flights(ResultCache(CacheServer(url)))


async def outcomes_of(flights: Flights, waited_for: dict[str, Flight]) -> list[KeyOutcome]:
    async with asyncio.timeout(LIMIT_S), aclosing(flights.outcomes(waited_for)) as lists:
        return [outcome async for outcomes in lists for outcome in outcomes]


async def test_a_key_belongs_to_the_first_who_asks_for_it() -> None:
    flights, first, second = flights_of(), Owner(), Owner()
    owned, others = flights.join(of_version("1", "a", "b"), first)
    assert (owned.keys(), others) == ({"a", "b"}, {})
    owned, others = flights.join(of_version("1", "b", "c"), second)
    assert (owned.keys(), others.keys()) == ({"c"}, {"b"})
    assert others["b"].owner is first


async def test_a_run_that_has_listed_another_version_does_not_wait_for_the_owner() -> None:
    flights = flights_of()
    first, _ = flights.join(of_version("1", "a"), Owner())
    second, others = flights.join(of_version("2", "a"), Owner())
    assert (second.keys(), others) == ({"a"}, {})
    # Each leaves its own.
    flights.leave(first)
    assert flights.join(of_version("2", "a"), Owner())[1] == second
    assert flights.join(of_version("1", "a"), Owner())[0].keys() == {"a"}


async def test_a_waiter_gets_what_the_owner_saved_and_under_which_key(valkey: EmbeddedValkey) -> None:
    server = CacheServer(valkey.url)
    cache = ResultCache(server)
    flights = Flights(cache)
    keys = of_version("1", "flight-a", "flight-b", "flight-c")
    owned, _ = flights.join(keys, Owner())
    _, others = flights.join(keys, Owner())
    waiting = asyncio.create_task(outcomes_of(flights, others))
    await cache.put({"flight-newer": computed_result("A", "newer").SerializeToString()})
    await cache.put({"flight-c": computed_result("C").SerializeToString()})
    owned["flight-a"].completion.set_result(Completion("flight-newer"))
    owned["flight-c"].completion.set_result(Completion("flight-c"))
    failure = Status(code=5, message="there is none")
    owned["flight-b"].completion.set_result(Completion(failure=failure))
    outcomes = {outcome.key: outcome for outcome in await waiting}
    result = outcomes["flight-a"].result
    assert result
    assert (result.symbol, result.fingerprint) == ("A", "newer")
    assert outcomes["flight-b"].failure == failure
    assert [outcomes[key].of_newer_data for key in sorted(outcomes)] == [True, False, False]
    assert all(outcome.shared for outcome in outcomes.values())
    await server.close()


async def test_an_owners_error_is_raised_by_its_waiters() -> None:
    flights = flights_of()
    owned, _ = flights.join(of_version("1", "a"), Owner())
    _, others = flights.join(of_version("1", "a"), Owner())
    waiting = asyncio.create_task(outcomes_of(flights, others))
    owned["a"].completion.set_result(Completion(error=Unavailable("away")))
    with pytest.raises(Unavailable, match="away"):
        await waiting


async def test_a_flight_whose_owner_leaves_is_the_next_ones_who_asks() -> None:
    flights, waiter = flights_of(), Owner()
    owned, _ = flights.join(of_version("1", "a"), Owner(is_waiting=True))
    _, others = flights.join(of_version("1", "a"), waiter)
    waiting = asyncio.create_task(outcomes_of(flights, others))
    flights.leave(owned)
    assert await waiting == []
    assert flights.join(of_version("1", "a"), waiter)[0].keys() == {"a"}


async def test_an_owner_that_stalls_for_longer_than_a_lease_loses_its_flights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, flights, stalled, waiter = ShiftedClock(monkeypatch), flights_of(), Owner(), Owner()
    left, _ = flights.join(of_version("1", "a"), stalled)
    _, others = flights.join(of_version("1", "a"), waiter)
    waiting = asyncio.create_task(outcomes_of(flights, others))
    await clock.let_pass(0.9 * LEASE_S)
    assert flights.join(of_version("1", "a"), waiter)[1].keys() == {"a"}
    assert not waiting.done()
    await clock.let_pass(0.5 * LEASE_S)
    assert await waiting == []
    taken, _ = flights.join(of_version("1", "a"), Owner(read_at=clock.monotonic()))
    assert taken.keys() == {"a"}
    # The owner that lost it cannot end it.
    flights.leave(left)
    assert flights.join(of_version("1", "a"), Owner())[1] == taken


async def test_an_owner_that_waits_for_others_does_not_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, flights, owner = ShiftedClock(monkeypatch), flights_of(), Owner()
    flights.join(of_version("1", "a"), owner)
    owner.is_waiting = True
    await clock.let_pass(100 * LEASE_S)
    assert flights.join(of_version("1", "a"), Owner())[1].keys() == {"a"}
    owner.is_waiting = False
    assert flights.join(of_version("1", "a"), Owner())[0].keys() == {"a"}
