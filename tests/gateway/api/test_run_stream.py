"""Results that are ready at the same time share an event, up to the number that the client asks for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse, RunStarted
from backcast.gateway.v1.run_events_pb2 import Progress, RunFailure, RunSummary
from services.domain.errors import Exhausted, Unavailable
from services.gateway.api.run_stream import run_stream
from services.gateway.auth.clients import ANONYMOUS
from services.gateway.runs.admission import Admission, RunLimits
from services.gateway.runs.event_log import EventLog, LoggedEvent
from services.gateway.runs.record import RunRecord
from services.gateway.runs.run import Run, RunState
from tests.candle_making import results_in
from tests.gateway.cache.clock import Clock, settled
from tests.waiting import LIMIT_S

MIB = 2**20
IDLE_S = 60.0


class Events:
    """Makes a run's events: `let` so many of them come."""

    def __init__(self, kinds: str, *, result_bytes: int = 0, log: EventLog | None = None) -> None:
        """`kinds` are the first letters of the events: sRFPS is started, result, failure, a part, summary."""
        self.admission = Admission(RunLimits(1, 1, 10, 10, 10, 10))
        self._kinds = kinds
        self._result_bytes = result_bytes
        self._made = self._completed = 0
        self._go = asyncio.Semaphore(0)
        self.run = Run(
            RunRecord("one", "RunBacktests", "anonymous", "rsi"),
            self._events,
            self.admission.enter(ANONYMOUS),
            log or EventLog(IDLE_S),
            resumes=True,
            started_s=0,
            arrived_at=0,
        )

    def let(self, count: int) -> None:
        for _ in range(count):
            self._go.release()

    async def _events(self) -> AsyncGenerator[list[LoggedEvent]]:
        # Opened again, it goes on where it was.
        while self._made < len(self._kinds):
            await self._go.acquire()
            kind, number = self._kinds[self._made], self._made + 1
            self._made = number
            event = RunBacktestsResponse(sequence=number)
            result = BacktestResult(symbol=str(number), data_fingerprint="x" * self._result_bytes)
            match kind:
                case "s":
                    event.started.CopyFrom(RunStarted(crypto_count=9))
                case "F":
                    event.failure.CopyFrom(RunFailure(symbol=str(number)))
                case "S":
                    event.summary.CopyFrom(RunSummary())
                case "P":
                    event.result_continuation.CopyFrom(result)
                case "!":
                    raise Unavailable("away")
                case _:
                    self._completed += 1
                    event.result.CopyFrom(result)
                    event.result_continues = kind == "L"
            event.progress.CopyFrom(Progress(completed=self._completed))
            whole = b""
            if kind == "R" and self._completed > 1:
                whole = event.result.SerializeToString()
                event.ClearField("result")
            yield [LoggedEvent(event.SerializeToString(), whole)]


async def stream_of(run: Run, results_per_event: int, after: int = 0) -> AsyncGenerator[RunBacktestsResponse]:
    """Yield the events of a run as a client gets them."""
    async with aclosing(run_stream(run, results_per_event, after)) as events:
        async for event in events:
            yield RunBacktestsResponse.FromString(event)


def shape(event: RunBacktestsResponse) -> str:
    """Return an event in short: its number, its kind, and the symbols of its results."""
    kind = event.WhichOneof("event") or ""
    return " ".join((str(event.sequence), kind, *(result.symbol for result in results_in(event))))


async def all_at_once(
    kinds: str, results_per_event: int, *, after: int = 0, result_bytes: int = 0
) -> list[RunBacktestsResponse]:
    """Return what a client gets that comes when all events are there."""
    events = Events(kinds, result_bytes=result_bytes)
    events.let(len(kinds))
    async with aclosing(events.run.watch()) as first:
        async for _ in first:
            pass
    return [event async for event in stream_of(events.run, results_per_event, after)]


@pytest.mark.parametrize(
    ("results_per_event", "shapes"),
    [
        (1, ["1 started", "2 result 2", "3 result 3", "4 result 4", "5 result 5", "6 result 6", "7 summary"]),
        (3, ["1 started", "2 result 2", "5 results 3 4 5", "6 result 6", "7 summary"]),
        (9, ["1 started", "2 result 2", "6 results 3 4 5 6", "7 summary"]),
    ],
)
async def test_the_first_result_comes_alone_and_others_share_events(
    results_per_event: int, shapes: list[str]
) -> None:
    events = await all_at_once("sRRRRRS", results_per_event)
    assert [shape(event) for event in events] == shapes
    # The progress is that of the last result.
    assert events[-2].progress.completed == 5


async def test_failures_and_parts_keep_their_places_among_results() -> None:
    events = await all_at_once("sRRRFRRLPPRRS", 9)
    assert [shape(event) for event in events] == [
        "1 started",
        "2 result 2",
        "4 results 3 4",
        "5 failure",
        "7 results 6 7",
        "8 result 8",
        "9 result_continuation",
        "10 result_continuation",
        "12 results 11 12",
        "13 summary",
    ]


async def test_results_share_an_event_below_one_mebibyte() -> None:
    events = await all_at_once("s" + "R" * 10 + "S", 1_000, result_bytes=300_000)
    sizes = [len(event.results.results) for event in events if event.HasField("results")]
    assert sizes == [3, 3, 3]
    assert max(event.ByteSize() for event in events) < MIB


@pytest.mark.parametrize("after", range(8))
async def test_a_run_is_taken_up_after_any_event(after: int) -> None:
    events = await all_at_once("sRRRRRS", 3, after=after)
    numbers = [int(result.symbol) for event in events for result in results_in(event)]
    assert numbers == [number for number in range(2, 7) if number > after]


async def test_nobody_waits_for_more_results() -> None:
    events = Events("sRRRRRS")
    shapes: list[str] = []
    async with aclosing(stream_of(events.run, 9)) as stream:
        for count in (1, 1, 1, 1):
            events.let(count)
            shapes.append(shape(await asyncio.wait_for(anext(stream), LIMIT_S)))
        assert shapes == ["1 started", "2 result 2", "3 result 3", "4 result 4"]
        events.let(3)
        *shapes, last = [shape(event) async for event in stream]
    assert [word for each in shapes for word in each.split()[2:]] == ["5", "6"]
    assert last == "7 summary"


async def test_a_client_that_leaves_is_no_watcher_any_more() -> None:
    events = Events("sRRRRRS")
    async with aclosing(stream_of(events.run, 9)) as stream:
        events.let(4)
        assert shape(await anext(stream)) == "1 started"
        assert events.run.watchers == 1
    assert events.run.watchers == 0
    # What it has not read comes to the next one.
    events.let(3)
    numbers = [event.sequence async for event in stream_of(events.run, 1, after=1)]
    assert numbers == list(range(2, 8))


async def test_results_before_an_error_are_not_lost() -> None:
    events = Events("sRRR!")
    events.let(5)
    shapes = []
    with pytest.raises(Unavailable):
        async for event in stream_of(events.run, 9):
            shapes.append(shape(event))
    assert [word for each in shapes for word in each.split()[2:]] == ["2", "3", "4"]


async def test_results_before_a_run_fails_to_go_on_are_not_lost() -> None:
    clock = Clock()
    log = EventLog(IDLE_S, most_bytes=1_700_000, timeout=clock.timeout)
    events = Events("s" + "R" * 10 + "S", result_bytes=300_000, log=log)
    events.let(12)
    stream = stream_of(events.run, 9)
    shapes = [shape(await anext(stream))]
    await settled()
    shapes += [shape(await anext(stream)) for _ in range(2)]
    assert shapes == ["1 started", "2 result 2", "5 results 3 4 5"]
    # The reader has got the next result too when the run is paused, and its slot goes to another run.
    await clock.advance(IDLE_S)
    assert events.run.state is RunState.PAUSED
    other = events.admission.enter(ANONYMOUS)
    assert shape(await anext(stream)) == "6 result 6"
    with pytest.raises(Exhausted):
        await anext(stream)
    other.release()
    numbers = [event.sequence async for event in stream_of(events.run, 1, after=6)]
    assert numbers == list(range(7, 13))
