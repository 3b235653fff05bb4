"""Requests stay below the limit, by the exchange's clock, and wait where the exchange asks for it."""

import pytest

from services.feed.exchanges.exchange import Limit
from services.feed.pace import Pace
from tests.feed.virtual_clock import VirtualClock

BEGIN_S = 1_700_000_040.0  # the start of a minute
LIMIT = Limit(100, window_s=60, used_header="used")
UNTOLD = Limit(20, window_s=2)


async def test_the_next_minute_begins_at_four_fifths_of_the_limit() -> None:
    clock = VirtualClock(BEGIN_S + 10)
    pace = Pace(LIMIT, clock)
    for _ in range(80):
        await pace.take(1)
    assert clock.now_s() == BEGIN_S + 10
    await pace.take(1)
    assert (clock.now_s(), pace.used) == (BEGIN_S + 60, 1)


async def test_what_others_use_counts_too() -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(LIMIT, clock)
    await pace.take(2)
    pace.note_used(79, BEGIN_S)
    await pace.take(2)
    assert clock.now_s() == BEGIN_S + 60


async def test_an_answer_of_the_minute_before_does_not_count_in_this_one() -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(LIMIT, clock)
    pace.note_used(1, BEGIN_S)
    pace.note_used(80, BEGIN_S - 1)
    clock.set(BEGIN_S + 2)
    await pace.take(1)
    assert clock.now_s() == BEGIN_S + 2


async def test_the_minute_is_that_of_the_exchange() -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(LIMIT, clock)
    pace.note_used(80, BEGIN_S + 20)
    await pace.take(1)
    assert clock.now_s() == BEGIN_S + 40


async def test_a_pause_holds_for_all() -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(LIMIT, clock)
    pace.pause(7)
    pace.pause(3)
    await pace.take(1)
    assert clock.now_s() == BEGIN_S + 7


async def test_a_request_that_weighs_more_than_the_share_is_sent_alone() -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(Limit(1, window_s=2), clock)
    await pace.take(1)
    await pace.take(1)
    assert clock.now_s() == BEGIN_S + 2


@pytest.mark.parametrize("late_s", [0.0, 0.7, 1.9])
async def test_windows_that_are_unknown_may_start_at_any_time(late_s: float) -> None:
    clock = VirtualClock(BEGIN_S)
    pace = Pace(UNTOLD, clock)
    await pace.take(1)
    clock.set(BEGIN_S + late_s)
    sent_s = [BEGIN_S]
    for _ in range(100):
        await pace.take(1)
        sent_s.append(clock.now_s())
    assert max(sum(start_s <= each < start_s + 2 for each in sent_s) for start_s in sent_s) == 16
    assert sent_s[-1] - BEGIN_S < 2 * 101 / 16 + late_s
