"""The events of a run, for any number of watchers."""

import asyncio
from contextlib import aclosing

import pytest

from backcast_engine.errors import NotFound
from services.gateway.runs.event_log import EventLog, LoggedEvent
from tests.gateway.cache.clock import Clock
from tests.waiting import LIMIT_S

IDLE_S = 60.0


async def all_of(log: EventLog, after: int = 0) -> list[LoggedEvent]:
    return [event async for event in log.events(after)]


def event(number: int) -> LoggedEvent:
    return LoggedEvent(number.to_bytes(10, "big"))


async def test_every_watcher_sees_every_event_once_and_in_order() -> None:
    log = EventLog(IDLE_S)
    log.add(event(1))
    early = asyncio.create_task(all_of(log))
    await asyncio.sleep(0)
    for number in range(2, 50):
        log.add(event(number))
        await asyncio.sleep(0)
    late = asyncio.create_task(all_of(log, after=30))
    await asyncio.sleep(0)
    log.add(event(50))
    log.end()
    assert await early == [event(number) for number in range(1, 51)]
    assert await late == [event(number) for number in range(31, 51)]
    # After the end, too.
    assert await all_of(log, after=48) == [event(49), event(50)]


async def test_who_adds_waits_for_the_slowest_watcher() -> None:
    log = EventLog(IDLE_S, most_bytes=50)
    async with aclosing(log.events(0)) as slow, aclosing(log.events(0)) as fast:
        log.add(event(1))
        assert [await anext(slow), await anext(fast)] == [event(1)] * 2
        for number in range(2, 6):
            log.add(event(number))
        await asyncio.wait_for(log.room(), LIMIT_S)
        log.add(event(6))
        assert [await anext(fast) for _ in range(5)] == [event(number) for number in range(2, 7)]
        waiting = asyncio.create_task(log.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        # Whoever takes the next one has seen the first.
        assert await anext(slow) == event(2)
        await asyncio.wait_for(waiting, LIMIT_S)
    assert log.kept_bytes == 50


async def test_a_watcher_that_leaves_makes_room() -> None:
    log = EventLog(IDLE_S, most_bytes=20)
    watcher = log.events(0)
    for number in range(1, 4):
        log.add(event(number))
    # Nobody watched yet, so what is too much is gone.
    with pytest.raises(NotFound, match="up to 1 are not kept"):
        await anext(watcher)
    watcher = log.events(1)
    assert await anext(watcher) == event(2)
    log.add(event(4))
    waiting = asyncio.create_task(log.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await watcher.aclose()
    await asyncio.wait_for(waiting, LIMIT_S)
    assert log.last == 4


def full_log(clock: Clock) -> EventLog:
    """Return a log with two events: a third one is too much until somebody has read the first."""
    log = EventLog(IDLE_S, most_bytes=20, timeout=clock.timeout)
    for number in range(1, 3):
        log.add(event(number))
    return log


async def test_who_adds_waits_so_long_for_watchers_that_do_not_read() -> None:
    clock = Clock()
    log = full_log(clock)
    async with aclosing(log.events(0)) as watcher:
        assert await anext(watcher) == event(1)
        log.add(event(3))
        waiting = asyncio.create_task(log.room())
        await clock.advance(IDLE_S - 1)
        assert not waiting.done()
        await clock.advance(1)
        assert await asyncio.wait_for(waiting, LIMIT_S) is False
        assert not log.has_room
        # Nothing is lost: who reads on gets all of it, and there is room again.
        assert [await anext(watcher), await anext(watcher)] == [event(2), event(3)]
        assert await asyncio.wait_for(log.room(), LIMIT_S) is True


async def test_a_watcher_that_reads_now_and_then_is_waited_for() -> None:
    clock = Clock()
    log = full_log(clock)
    async with aclosing(log.events(0)) as watcher:
        await anext(watcher)
        for number in range(3, 6):
            log.add(event(number))
        waiting = asyncio.create_task(log.room())
        for _ in range(2):
            await clock.advance(IDLE_S - 1)
            await anext(watcher)
        await clock.advance(IDLE_S - 1)
        assert not waiting.done()
        await clock.advance(1)
        assert await asyncio.wait_for(waiting, LIMIT_S) is False


async def test_while_one_watcher_has_read_all_nobody_is_idle() -> None:
    clock = Clock()
    log = full_log(clock)
    async with aclosing(log.events(0)) as slow, aclosing(log.events(0)) as fast:
        await anext(slow)
        log.add(event(3))
        assert [await anext(fast) for _ in range(3)] == [event(1), event(2), event(3)]
        wants_more = asyncio.create_task(anext(fast))
        waiting = asyncio.create_task(log.room())
        await clock.advance(10 * IDLE_S)
        assert not waiting.done()
        assert await anext(slow) == event(2)
        assert await asyncio.wait_for(waiting, LIMIT_S) is True
        log.add(event(4))
        assert await asyncio.wait_for(wants_more, LIMIT_S) == event(4)


async def test_a_log_that_forgets_has_room_and_no_event() -> None:
    log = full_log(Clock())
    log.add(event(3))
    log.forget()
    assert (log.has_room, log.kept_bytes, log.last) == (True, 0, 3)
    with pytest.raises(NotFound, match="up to 3 are not kept"):
        await anext(log.events(2))
