"""A run works while somebody watches it, is paused when nobody does, and never loses or repeats an event."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from services.domain.errors import (
    AlreadyExists,
    Cancelled,
    Exhausted,
    Internal,
    InvalidInput,
    NotFound,
    Unavailable,
)
from services.gateway.auth.clients import ANONYMOUS, Client
from services.gateway.runs.admission import Admission, Limits
from services.gateway.runs.live_run import LiveRun, RunState
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run_report import RunReport

OTHER = Client("other", frozenset())


class Work:
    """Makes events when it is told to, and knows whether it is at work."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.made = 0
        self.at_work = False
        self.error: Exception | None = None
        self.total = 10
        self.makers = 0
        self.slow_to_close_s = 0.0
        self.loses_cancellations = 0

    async def events(self) -> AsyncGenerator[bytes]:
        self.at_work = True
        self.makers += 1
        try:
            while self.made < self.total:
                try:
                    await self.go.acquire()
                except asyncio.CancelledError:
                    if not self.loses_cancellations:
                        raise
                    self.loses_cancellations -= 1
                    continue
                if self.error:
                    raise self.error
                self.made += 1
                yield bytes([self.made])
        finally:
            await asyncio.sleep(self.slow_to_close_s)
            self.makers -= 1
            self.at_work = False


@pytest.fixture
def admission() -> Admission:
    return Admission(Limits(1, 1, 10, 10, 10, 10))


@pytest.fixture
def work() -> Work:
    return Work()


def live(admission: Admission, work: Work, *, resumes: bool = True, run_id: str = "one") -> LiveRun:
    return LiveRun(
        RunReport(run_id, "RunBacktests", "anonymous", "rsi"),
        work.events,
        admission.enter(ANONYMOUS),
        resumes=resumes,
        started_s=0,
        arrived_at=0,
    )


async def take(watcher: AsyncGenerator[bytes], work: Work, count: int) -> list[int]:
    events = []
    for _ in range(count):
        work.go.release()
        events += await asyncio.wait_for(anext(watcher), 1)
    return events


async def test_taken_up_again_it_goes_on_where_it_was(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    async with aclosing(run.watch()) as watcher:
        assert await take(watcher, work, 4) == [1, 2, 3, 4]
        assert (run.state, work.at_work) == (RunState.RUNNING, True)
    assert (run.state, work.at_work) == (RunState.PAUSED, False)
    # Its place is free meanwhile.
    admission.enter(ANONYMOUS).leave()
    async with aclosing(run.watch(after=2)) as watcher:
        assert [*await anext(watcher), *await anext(watcher)] == [3, 4]
        assert await take(watcher, work, 6) == [5, 6, 7, 8, 9, 10]
        assert [event async for event in watcher] == []
    assert run.state is RunState.COMPLETED
    assert [event async for event in run.watch(after=9)] == [bytes([10])]
    admission.enter(ANONYMOUS)


async def test_it_works_on_while_one_of_two_watches(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    first, second = run.watch(), run.watch()
    assert await take(first, work, 3) == [1, 2, 3]
    assert await take(second, work, 1) == [1]
    await first.aclose()
    assert (run.state, run.watchers, work.at_work) == (RunState.RUNNING, 1, True)
    await second.aclose()
    assert (run.state, run.watchers, work.at_work) == (RunState.PAUSED, 0, False)


async def test_somebody_who_comes_while_the_last_one_leaves_is_not_left_waiting(
    admission: Admission, work: Work
) -> None:
    run = live(admission, work)
    first = run.watch()
    await take(first, work, 1)
    second = run.watch(after=1)
    leaving, coming = asyncio.create_task(first.aclose()), asyncio.create_task(take(second, work, 2))
    assert await asyncio.wait_for(coming, 1) == [2, 3]
    await leaving
    await second.aclose()


async def test_without_a_place_it_cannot_be_taken_up(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
    admission.enter(ANONYMOUS)
    with pytest.raises(Exhausted):
        await anext(run.watch(after=1))
    assert run.state is RunState.PAUSED


async def test_what_does_not_resume_is_cancelled_when_it_is_left(admission: Admission, work: Work) -> None:
    run = live(admission, work, resumes=False)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
    assert (run.state, run.report.outcome, work.at_work) == (RunState.CANCELLED, "cancelled", False)


async def test_cancelled_it_ends_for_all_who_watch(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    watchers = [run.watch(), run.watch()]
    for watcher in watchers:
        await take(watcher, work, 1)
    await run.cancel()
    assert (run.state, work.at_work) == (RunState.CANCELLED, False)
    for watcher in watchers:
        with pytest.raises(Cancelled):
            _ = [event async for event in watcher]
    with pytest.raises(Cancelled):
        _ = [event async for event in run.watch()]


@pytest.mark.parametrize(
    ("error", "raised", "outcome"),
    [(Unavailable("away"), Unavailable, "unavailable"), (ZeroDivisionError(), Internal, "internal")],
)
async def test_its_error_reaches_all_who_watch(
    admission: Admission, work: Work, error: Exception, raised: type[Exception], outcome: str
) -> None:
    run = live(admission, work)
    watcher = run.watch()
    assert await take(watcher, work, 1) == [1]
    work.error = error
    work.go.release()
    with pytest.raises(raised):
        await anext(watcher)
    assert (run.state, run.report.outcome) == (RunState.FAILED, outcome)
    again = run.watch()
    assert await anext(again) == bytes([1])
    with pytest.raises(raised):
        await anext(again)


async def test_cancelled_while_its_last_watcher_leaves_it_is_cancelled(
    admission: Admission, work: Work
) -> None:
    run = live(admission, work)
    watcher = run.watch()
    await take(watcher, work, 1)
    await asyncio.gather(watcher.aclose(), run.cancel())
    assert (run.state, run.report.outcome, work.at_work) == (RunState.CANCELLED, "cancelled", False)
    admission.enter(ANONYMOUS)


async def test_ids_are_taken_while_their_run_is_under_way(admission: Admission, work: Work) -> None:
    registry = RunRegistry(kept_s=60)
    assert registry.reserve("one", ANONYMOUS) == "one"
    with pytest.raises(AlreadyExists):
        registry.reserve("one", ANONYMOUS)
    run = live(admission, work)
    registry.add(run)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
        with pytest.raises(AlreadyExists):
            registry.reserve("one", ANONYMOUS)
    # It is paused, and the client may ask anew; what others call theirs is nothing to it.
    assert registry.reserve("one", ANONYMOUS) == "one"
    assert registry.reserve("one", OTHER) == "one"
    registry.release("one", ANONYMOUS)
    assert registry.get("one", ANONYMOUS) is run
    with pytest.raises(NotFound):
        registry.get("one", OTHER)
    assert (registry.all(ANONYMOUS), registry.all(OTHER)) == ([run], [])
    for bad in ("a b", "x" * 65, "ä", "a\n"):
        with pytest.raises(InvalidInput, match="run_id"):
            registry.reserve(bad, ANONYMOUS)


async def test_a_run_that_is_taken_up_while_another_is_planned_keeps_its_id(
    admission: Admission, work: Work
) -> None:
    registry = RunRegistry(kept_s=60)
    run = live(admission, work)
    registry.add(run)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
    assert registry.reserve("one", ANONYMOUS) == "one"
    async with aclosing(run.watch()) as watcher:
        await anext(watcher)
        with pytest.raises(AlreadyExists):
            registry.add(
                LiveRun(
                    RunReport("one", "", "", ""),
                    work.events,
                    run._place,
                    resumes=True,
                    started_s=0,
                    arrived_at=0,
                )
            )
    assert registry.get("one", ANONYMOUS) is run


async def test_watchers_that_leave_and_come_at_once_have_one_maker(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    work.slow_to_close_s = 0.02
    first = run.watch()
    await take(first, work, 2)
    seen = [1, 2]
    for number in range(20):
        second = run.watch(after=len(seen))
        coming = asyncio.create_task(anext(second))
        await asyncio.sleep(0.001 * (number % 4))
        leaving = [asyncio.create_task(first.aclose())]
        await asyncio.sleep(0.001 * (number % 3))
        coming.cancel()
        await asyncio.gather(coming, *leaving, second.aclose(), return_exceptions=True)
        assert work.makers <= 1
        first = run.watch(after=len(seen))
        coming = asyncio.create_task(anext(first))
        await asyncio.sleep(0)
        assert work.makers <= 1
        if len(seen) < 6:
            work.go.release()
            seen += await asyncio.wait_for(coming, 1)
        else:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            first = run.watch(after=len(seen))
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_cancel_whose_own_call_ends_is_carried_out(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    work.slow_to_close_s = 0.05
    watcher = run.watch()
    await take(watcher, work, 1)
    cancelling = asyncio.create_task(run.cancel())
    await asyncio.sleep(0.01)
    cancelling.cancel()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(anext(watcher), 1)
    assert (run.state, work.makers) == (RunState.CANCELLED, 0)


async def test_a_cancellation_that_gets_lost_is_sent_again(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    work.loses_cancellations = 2
    watcher = run.watch()
    await take(watcher, work, 1)
    await asyncio.wait_for(run.cancel(), 2)
    assert (run.state, work.makers) == (RunState.CANCELLED, 0)


async def test_runs_are_forgotten_in_the_end(admission: Admission, work: Work) -> None:
    for registry, resumes in ((RunRegistry(kept_s=0), True), (RunRegistry(kept_s=60), False)):
        run = live(admission, work, resumes=resumes)
        registry.add(run)
        async with aclosing(run.watch()) as watcher:
            await take(watcher, work, 1)
            assert registry.get("one", ANONYMOUS) is run
        with pytest.raises(NotFound):
            registry.get("one", ANONYMOUS)
