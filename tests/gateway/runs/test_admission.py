"""Admission: limits on runs and backtests in progress."""

import re

import pytest

from services.domain.errors import Exhausted, TooLarge
from services.gateway.auth.clients import ANONYMOUS, Client, Right
from services.gateway.runs.admission import Admission, RequestSize, RunLimits, Slot

LIMITS = RunLimits(
    max_runs=4,
    max_runs_per_client=3,
    max_backtests=1_000,
    max_backtests_per_client=800,
    max_backtests_per_request=500,
    max_symbols_per_request=20,
)
OTHER = Client("other", frozenset({Right.RUN}))


def size(backtests: int, symbols: int = 1) -> RequestSize:
    return RequestSize(symbols, backtests, f"{backtests} things", "ranges")


def entered(admission: Admission, client: Client = ANONYMOUS, backtests: int = 1) -> Slot:
    slot = admission.enter(client)
    slot.take(size(backtests))
    return slot


def test_a_client_has_so_many_runs_and_finds_room_again() -> None:
    admission = Admission(LIMITS)
    slots = [entered(admission) for _ in range(3)]
    with pytest.raises(Exhausted, match="at most 3 runs of anonymous may be under way at once") as caught:
        admission.enter(ANONYMOUS)
    assert caught.value.retry_after_s > 0
    slots[0].release()
    # Releasing it again does nothing: nobody else's slot is released.
    slots[0].release()
    entered(admission)
    with pytest.raises(Exhausted):
        admission.enter(ANONYMOUS)


def test_all_clients_together_have_so_many_runs() -> None:
    admission = Admission(LIMITS)
    for _ in range(3):
        admission.enter(ANONYMOUS)
    slot = admission.enter(OTHER)
    with pytest.raises(Exhausted, match="at most 4 runs may be under way at once"):
        admission.enter(Client("third", frozenset()))
    slot.release()
    admission.enter(Client("third", frozenset()))


def test_a_client_has_so_many_backtests() -> None:
    admission = Admission(LIMITS)
    slot = entered(admission, backtests=500)
    entered(admission, backtests=300)
    with pytest.raises(
        Exhausted, match="backtests of anonymous may be under way at once: 800 are, and this run has 1"
    ):
        entered(admission)
    slot.release()
    entered(admission, backtests=500)


def test_all_clients_together_have_so_many_backtests() -> None:
    admission = Admission(LIMITS)
    entered(admission, backtests=500)
    entered(admission, OTHER, backtests=500)
    with pytest.raises(Exhausted, match="backtests may be under way at once: 1,000 are, and this run has 1"):
        entered(admission, OTHER)


@pytest.mark.parametrize(
    ("asked", "field", "reason"),
    [
        (size(501), "ranges", "501 things are 501 backtests, and at most 500 are allowed"),
        (size(21, symbols=21), "symbols", "at most 20 are allowed, not 21"),
    ],
)
def test_one_request_asks_for_so_much(asked: RequestSize, field: str, reason: str) -> None:
    slot = Admission(LIMITS).enter(ANONYMOUS)
    with pytest.raises(TooLarge, match=re.escape(f"{field}: {reason}")):
        slot.take(asked)


def test_limits_of_a_client_go_first() -> None:
    admission = Admission(LIMITS)
    client = Client("big", frozenset(), 4, 1_000, 1_000, 30)
    slot = admission.enter(client)
    slot.take(size(1_000, symbols=30))
    with pytest.raises(TooLarge, match="at most 0 are allowed"):
        admission.check(Client("none", frozenset(), max_symbols_per_request=0), size(1))
    with pytest.raises(Exhausted, match="at most 0 runs of none may be under way"):
        admission.enter(Client("none", frozenset(), max_runs=0))
