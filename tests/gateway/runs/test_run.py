"""A run works while somebody watches it, is paused while nobody does, and never loses or repeats an event."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from backcast_engine.errors import NotFound
from services.domain.errors import AlreadyExists, Cancelled, Exhausted, Internal, Unavailable
from services.gateway.auth.clients import ANONYMOUS, Client
from services.gateway.runs.admission import Admission
from services.gateway.runs.event_log import EventLog, LoggedEvent
from services.gateway.runs.record import RunRecord
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run import Run, RunState
from tests.gateway.cache.clock import settled
from tests.gateway.runs.runs import IDLE_S, Work, event, live, number_of, turns
from tests.waiting import LIMIT_S

OTHER = Client("other", frozenset())


async def take(watcher: AsyncGenerator[LoggedEvent], work: Work, count: int) -> list[int]:
    events: list[int] = []
    for _ in range(count):
        work.go.release()
        events.append(number_of(await asyncio.wait_for(anext(watcher), LIMIT_S)))
    return events


async def test_a_run_that_is_watched_again_goes_on_where_it_was(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    async with aclosing(run.watch()) as watcher:
        assert await take(watcher, work, 4) == [1, 2, 3, 4]
        assert (run.state, work.at_work) == (RunState.RUNNING, True)
    assert (run.state, work.at_work) == (RunState.PAUSED, False)
    # Its slot is free meanwhile.
    admission.enter(ANONYMOUS).release()
    async with aclosing(run.watch(after=2)) as watcher:
        assert [number_of(await anext(watcher)) for _ in range(2)] == [3, 4]
        assert await take(watcher, work, 6) == [5, 6, 7, 8, 9, 10]
        assert [each async for each in watcher] == []
    assert run.state is RunState.COMPLETED
    assert [each async for each in run.watch(after=9)] == [LoggedEvent.of(event(10))]
    admission.enter(ANONYMOUS)


async def test_a_run_works_on_while_one_of_two_watches(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    first, second = run.watch(), run.watch()
    assert await take(first, work, 3) == [1, 2, 3]
    assert await take(second, work, 1) == [1]
    await first.aclose()
    assert (run.state, run.watchers, work.at_work) == (RunState.RUNNING, 1, True)
    await second.aclose()
    assert (run.state, run.watchers, work.at_work) == (RunState.PAUSED, 0, False)


async def test_a_watcher_that_comes_while_the_last_one_leaves_gets_its_events(
    admission: Admission, work: Work
) -> None:
    run = live(admission, work)
    first = run.watch()
    await take(first, work, 1)
    second = run.watch(after=1)
    leaving, coming = asyncio.create_task(first.aclose()), asyncio.create_task(take(second, work, 2))
    assert await asyncio.wait_for(coming, LIMIT_S) == [2, 3]
    await leaving
    await second.aclose()


async def test_a_paused_run_cannot_go_on_without_a_free_slot(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
    admission.enter(ANONYMOUS)
    with pytest.raises(Exhausted):
        await anext(run.watch(after=1))
    assert run.state is RunState.PAUSED


async def test_a_run_that_does_not_resume_is_cancelled_when_its_watcher_leaves(
    admission: Admission, work: Work
) -> None:
    run = live(admission, work, resumes=False)
    async with aclosing(run.watch()) as watcher:
        await take(watcher, work, 1)
    assert (run.state, run.record.outcome, work.at_work) == (RunState.CANCELLED, "cancelled", False)


async def test_a_cancelled_run_ends_for_all_who_watch(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    watchers = [run.watch(), run.watch()]
    for watcher in watchers:
        await take(watcher, work, 1)
    await run.cancel()
    assert (run.state, work.at_work) == (RunState.CANCELLED, False)
    for watcher in watchers:
        with pytest.raises(Cancelled):
            _ = [each async for each in watcher]
    with pytest.raises(Cancelled):
        _ = [each async for each in run.watch()]


@pytest.mark.parametrize(
    ("error", "raised", "outcome"),
    [(Unavailable("away"), Unavailable, "unavailable"), (ZeroDivisionError(), Internal, "internal")],
)
async def test_the_error_of_a_run_reaches_all_who_watch(
    admission: Admission, work: Work, error: Exception, raised: type[Exception], outcome: str
) -> None:
    run = live(admission, work)
    watcher = run.watch()
    assert await take(watcher, work, 1) == [1]
    work.error = error
    work.go.release()
    with pytest.raises(raised):
        await anext(watcher)
    assert (run.state, run.record.outcome) == (RunState.FAILED, outcome)
    again = run.watch()
    assert number_of(await anext(again)) == 1
    with pytest.raises(raised):
        await anext(again)


async def test_a_run_that_is_cancelled_while_its_last_watcher_leaves_is_cancelled(
    admission: Admission, work: Work
) -> None:
    run = live(admission, work)
    watcher = run.watch()
    await take(watcher, work, 1)
    await asyncio.gather(watcher.aclose(), run.cancel())
    assert (run.state, run.record.outcome, work.at_work) == (RunState.CANCELLED, "cancelled", False)
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
    # The run is paused, so the client may use its id again; other clients may use the same id.
    assert registry.reserve("one", ANONYMOUS) == "one"
    assert registry.reserve("one", OTHER) == "one"
    registry.release("one", ANONYMOUS)
    assert registry.get("one", ANONYMOUS) is run
    with pytest.raises(NotFound):
        registry.get("one", OTHER)
    assert (registry.all(ANONYMOUS), registry.all(OTHER)) == ([run], [])


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
                Run(
                    RunRecord("one", "", "", ""),
                    work.events,
                    run._slot,
                    EventLog(IDLE_S),
                    resumes=True,
                    started_s=0,
                    arrived_at=0,
                )
            )
    assert registry.get("one", ANONYMOUS) is run


async def test_watchers_that_leave_and_come_at_once_have_one_maker(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    # More turns than a stop takes by itself.
    work.turns_to_close = 20
    first = run.watch()
    await take(first, work, 2)
    seen = [1, 2]
    # Every combination of moments.
    for number in range(35):
        second = run.watch(after=len(seen))
        coming = asyncio.create_task(anext(second))
        await turns(number % 7)
        leaving = [asyncio.create_task(first.aclose())]
        await turns(number % 5)
        coming.cancel()
        await asyncio.gather(coming, *leaving, second.aclose(), return_exceptions=True)
        assert work.makers <= 1
        first = run.watch(after=len(seen))
        coming = asyncio.create_task(anext(first))
        await asyncio.sleep(0)
        assert work.makers <= 1
        if len(seen) < 6:
            work.go.release()
            seen.append(number_of(await asyncio.wait_for(coming, LIMIT_S)))
        else:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            first = run.watch(after=len(seen))
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_cancel_whose_own_call_ends_is_carried_out(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    work.closing = asyncio.Event()
    watcher = run.watch()
    await take(watcher, work, 1)
    cancelling = asyncio.create_task(run.cancel())
    await settled()
    cancelling.cancel()
    await settled()
    work.closing.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(anext(watcher), LIMIT_S)
    assert (run.state, work.makers) == (RunState.CANCELLED, 0)


async def test_a_cancellation_that_gets_lost_is_sent_again(admission: Admission, work: Work) -> None:
    run = live(admission, work)
    work.loses_cancellations = 2
    watcher = run.watch()
    await take(watcher, work, 1)
    await asyncio.wait_for(run.cancel(), LIMIT_S)
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
