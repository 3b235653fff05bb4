"""A run whose reader does not read is paused, and goes on when it reads."""

import asyncio

import pytest

from backcast_engine.errors import ErrorReason, NotFound
from services.domain.errors import Cancelled, Exhausted
from services.gateway.auth.clients import ANONYMOUS
from services.gateway.runs.admission import Admission
from services.gateway.runs.event_log import EventLog
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run import RunState
from tests.gateway.cache.clock import Clock, settled
from tests.gateway.runs.runs import IDLE_S, Work, live, number_of
from tests.waiting import LIMIT_S

# Of a message with a number below 128.
EVENT_BYTES = 3


class Idle:
    """A run that waits for its only reader, which has read one event of five; the log keeps three."""

    def __init__(self, admission: Admission, work: Work, *, resumes: bool = True) -> None:
        self.clock = Clock()
        log = EventLog(IDLE_S, most_bytes=3 * EVENT_BYTES, timeout=self.clock.timeout)
        self.run = live(admission, work, resumes=resumes, log=log)
        self.reader = self.run.watch()
        self._work = work

    async def begin(self) -> None:
        """Have the run come to where it waits."""
        for _ in range(5):
            self._work.go.release()
        assert number_of(await anext(self.reader)) == 1
        await settled()
        assert (self.run.state, self.run.last_sequence) == (RunState.RUNNING, 4)

    async def rest_of(self) -> list[int]:
        for _ in range(self._work.total):
            self._work.go.release()
        return [number_of(event) async for event in self.reader]


async def test_a_run_whose_reader_does_not_read_is_paused_and_goes_on_when_it_reads(
    admission: Admission, work: Work
) -> None:
    idle = Idle(admission, work)
    await idle.begin()
    await idle.clock.advance(IDLE_S - 1)
    assert idle.run.state is RunState.RUNNING
    await idle.clock.advance(1)
    assert (idle.run.state, idle.run.watchers, work.at_work) == (RunState.PAUSED, 1, False)
    # Its slot is free meanwhile.
    admission.enter(ANONYMOUS).release()
    assert await asyncio.wait_for(idle.rest_of(), LIMIT_S) == list(range(2, 11))
    assert idle.run.state is RunState.COMPLETED


async def test_a_reader_that_returns_without_a_free_slot_gets_an_error_and_can_watch_later(
    admission: Admission, work: Work
) -> None:
    idle = Idle(admission, work)
    await idle.begin()
    await idle.clock.advance(IDLE_S)
    other = admission.enter(ANONYMOUS)
    with pytest.raises(Exhausted):
        await anext(idle.reader)
    assert (idle.run.state, idle.run.watchers) == (RunState.PAUSED, 0)
    other.release()
    idle.reader = idle.run.watch(after=1)
    assert await asyncio.wait_for(idle.rest_of(), LIMIT_S) == list(range(2, 11))


async def test_a_reader_that_is_back_while_its_run_is_being_paused_keeps_it_running(
    admission: Admission, work: Work
) -> None:
    idle = Idle(admission, work)
    work.closing = asyncio.Event()
    await idle.begin()
    await idle.clock.advance(IDLE_S)
    assert (idle.run.state, work.makers) == (RunState.RUNNING, 1)
    assert [number_of(await anext(idle.reader)) for _ in range(2)] == [2, 3]
    work.closing.set()
    assert await asyncio.wait_for(idle.rest_of(), LIMIT_S) == list(range(4, 11))
    assert idle.run.state is RunState.COMPLETED


async def test_a_run_that_does_not_resume_is_cancelled_when_nobody_reads(
    admission: Admission, work: Work
) -> None:
    idle = Idle(admission, work, resumes=False)
    await idle.begin()
    await idle.clock.advance(IDLE_S)
    assert (idle.run.state, idle.run.record.outcome, work.at_work) == (
        *(RunState.CANCELLED, "cancelled"),
        False,
    )
    admission.enter(ANONYMOUS).release()
    read: list[int] = []
    with pytest.raises(Cancelled) as caught:
        async for event in idle.reader:
            read.append(number_of(event))
    assert (read, caught.value.reason) == ([2, 3, 4], ErrorReason.RUN_READER_IDLE)


async def test_a_paused_run_that_was_forgotten_is_not_found_by_its_reader(
    admission: Admission, work: Work
) -> None:
    registry = RunRegistry(kept_s=0)
    idle = Idle(admission, work)
    registry.add(idle.run)
    await idle.begin()
    await idle.clock.advance(IDLE_S)
    with pytest.raises(NotFound):
        registry.get("one", ANONYMOUS)
    with pytest.raises(NotFound, match="was paused, and is not kept any more"):
        await anext(idle.reader)
    assert (idle.run.state, work.at_work, admission.runs) == (RunState.PAUSED, False, 0)


async def test_a_paused_run_whose_id_another_one_takes_does_not_go_on(
    admission: Admission, work: Work
) -> None:
    registry = RunRegistry(kept_s=60)
    idle = Idle(admission, work)
    registry.add(idle.run)
    await idle.begin()
    await idle.clock.advance(IDLE_S)
    assert registry.reserve("one", ANONYMOUS) == "one"
    registry.add(live(admission, Work()))
    with pytest.raises(NotFound):
        await anext(idle.reader)
