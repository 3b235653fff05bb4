"""Runs jobs: gives their tasks to the workers as the candles come, a few at a time."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

import structlog

from backcast_engine.errors import BackcastError, ErrorReason
from backcast_engine.history import HistoryTooShort
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S
from services.compute.candles.location import CandleLocation, DataVersion
from services.compute.tasks.batch import BatchResult, LocatedTask, Task, TaskBatch, TaskResult, run_batch
from services.compute.tasks.errors import WorkerDied
from services.compute.tasks.jobs import ComputeJob
from services.domain.errors import Internal, Unavailable
from services.telemetry.tracing import past_span

_log = structlog.get_logger()

_Argument = TypeVar("_Argument")
_Value = TypeVar("_Value")

# For each call that the workers can do at once: one batch that is being computed, and one that waits for a
# worker or whose outcomes are being read. A job that is cancelled, or whose reader is slow, has no more
# batches in any queue.
_BATCHES_AT_ONCE = 2
_MOST_IN_BATCH = 64
# Batches grow by this factor at most: the next task may take much longer than the last one.
_MOST_GROWTH = 4
# Towards the end batches get smaller, but not below this share of a batch that is worth sending.
_LEAST_SHARE = 0.1
# Outcomes are gathered for so long, up to so many, as sending each alone would cost more than computing it.
_GATHERING_S = 0.005
_MOST_GATHERED = 256

_INTERNAL = "internal error; the service's log has more"


class Workers(Protocol):
    """An Executor (see concurrent.futures) that calls functions of modules in other processes."""

    batch_s: float
    """Seconds of work in a batch from which on the cost of sending the batch does not matter."""

    async def capacity(self) -> int:
        """Return how many calls run at once; raise Unavailable where there is no worker."""

    def submit(self, fn: Callable[[_Argument], _Value], argument: _Argument, /) -> Future[_Value]:
        """Have a worker call `fn`. The future raises WorkerDied where the call killed its workers.

        Cancelling the future cancels the call: a call that waits is withdrawn, and a call that runs ends
        soon where the workers have a way to end it.
        """


class CandleProvider(Protocol):
    """Locates candles, or fetches them to where the workers can read them."""

    def columns(
        self, cryptos: list[DataVersion], interval: Interval, columns: tuple[str, ...], since_s: int
    ) -> AsyncGenerator[Sequence[tuple[DataVersion, CandleLocation | BackcastError]]]:
        """Yield every crypto with the location of its candles, which holds until the iterator is closed.

        What comes at the same time comes in one list.

        Candles before `since_s` (Unix seconds) may be missing.
        """


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The outcome of a task: its result, or the error that it failed with.

    `data` is the version that it was computed from, `location` where that was read, and `others` are the
    versions of the other cryptos that it looks at. A crypto without candles has one outcome, whose `task` and
    `location` are None.
    """

    data: DataVersion
    task: Task | None
    result: Any | BackcastError
    others: tuple[DataVersion, ...] = ()
    location: CandleLocation | None = None


class TaskRunner:
    """Runs the tasks of jobs in `workers`, on the candles of `provider`."""

    def __init__(self, workers: Workers, provider: CandleProvider) -> None:
        self._workers = workers
        self._provider = provider

    def run(self, job: ComputeJob) -> AsyncGenerator[list[TaskOutcome]]:
        """Yield the outcomes of a job's tasks in the order in which they complete: the first at once.

        Later ones are gathered for some milliseconds. A task starts when the candles of its crypto are there.
        Closing the iterator cancels the tasks that are not done (see `Workers`). Raises Unavailable where
        there are no workers.
        """
        return _JobRun(self._workers, self._provider, job).outcomes()

    async def call(self, fn: Callable[[_Argument], _Value], argument: _Argument) -> _Value:
        """Have a worker call `fn`, a function of a module that imports no grpc, and return what it returns.

        A call that is cancelled is cancelled as a task is (see `Workers`). Raises the BackcastErrors and the
        FileNotFoundErrors that `fn` raises, Internal for other errors, and Unavailable as `run` does.
        """
        future = asyncio.wrap_future(self._workers.submit(fn, argument))
        try:
            # A future that the workers have cancelled is no cancellation of the caller.
            await asyncio.wait([future])
        finally:
            future.cancel()
        if future.cancelled():
            raise _stopping()
        try:
            return future.result()
        except (BackcastError, FileNotFoundError):
            raise
        except Exception as error:
            _log.error("worker call failed", exc_info=error)
            raise Internal(_INTERNAL) from error

    async def calls(
        self, fn: Callable[[_Argument], _Value], arguments: Iterable[_Argument]
    ) -> AsyncGenerator[tuple[int, _Value | BackcastError]]:
        """Have workers call `fn` for each argument, as many at once as there are workers.

        Yields the number of an argument, and what `call` returns for it or the BackcastError that it raises,
        as the calls end. Closing the iterator cancels those that have not. Raises what else `call` raises.
        """
        waiting, most = enumerate(arguments), await self._workers.capacity()
        running: dict[asyncio.Task[_Value], int] = {}
        try:
            while True:
                for number, argument in islice(waiting, most - len(running)):
                    running[asyncio.create_task(self.call(fn, argument))] = number
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    number, error = running.pop(task), task.exception()
                    yield number, error if isinstance(error, BackcastError) else task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


_TasksOf = Callable[[DataVersion], Iterable[Task]]
_BatchFuture = asyncio.Future[BatchResult]


class _JobRun:
    """One job under way: the tasks that are ready, the batches that the workers have, and the outcomes."""

    def __init__(self, workers: Workers, provider: CandleProvider, job: ComputeJob) -> None:
        self._workers = workers
        self._provider = provider
        self._job = job
        # While these are open, the candles stay where they are.
        self._open_locations = AsyncExitStack()
        # Tasks of asyncio that wait for candles, and how many cryptos they still wait for.
        self._locating: set[asyncio.Task[None]] = set()
        self._cryptos_to_come = 0
        self._ready: deque[LocatedTask] = deque()
        self._room = asyncio.Event()
        # Tasks of a batch whose worker died: each is sent again, alone.
        self._suspects: deque[LocatedTask] = deque()
        self._batch_size = self._least_batch_size = 1
        self._running: set[_BatchFuture] = set()
        # Whether a batch has ended whose outcomes the reader may not have taken yet.
        self._is_unread = False
        self._events: asyncio.Queue[TaskOutcome | asyncio.Task[None] | tuple[TaskBatch, _BatchFuture]] = (
            asyncio.Queue()
        )

    async def outcomes(self) -> AsyncGenerator[list[TaskOutcome]]:
        """Yield the outcomes of all tasks; see TaskRunner.run."""
        self._capacity = await self._workers.capacity()
        try:
            self._locate(self._job.cryptos, self._job.tasks_of, self._job.since_s)
            gathering_s = 0.0
            while outcomes := await self._gathered(gathering_s):
                yield outcomes
                gathering_s = _GATHERING_S
        finally:
            await self._cancel()

    async def _gathered(self, seconds: float) -> list[TaskOutcome]:
        """Wait for an outcome; return it and what comes within `seconds`, or nothing where all is done."""
        loop = asyncio.get_running_loop()
        outcomes: list[TaskOutcome] = []
        until = None
        while self._locating or self._running or self._suspects or self._ready:
            # What was gathered before is read, and a reader waits for more.
            self._is_unread = False
            self._send_batches()
            try:
                async with asyncio.timeout_at(until):
                    event = await self._events.get()
            except TimeoutError:
                break
            outcomes += self._outcomes_of(event)
            if outcomes and until is None:
                until = loop.time() + seconds
            if outcomes and (not seconds or len(outcomes) >= _MOST_GATHERED):
                break
        return outcomes

    def _outcomes_of(
        self, event: TaskOutcome | asyncio.Task[None] | tuple[TaskBatch, _BatchFuture]
    ) -> list[TaskOutcome]:
        """Return the outcomes that an event brings."""
        if isinstance(event, TaskOutcome):
            return [event]
        if isinstance(event, asyncio.Task):
            self._locating.discard(event)
            event.result()
            return []
        batch, future = event
        self._running.discard(future)
        self._is_unread = True
        return self._outcomes_of_batch(batch, future)

    async def _cancel(self) -> None:
        """Cancel what is not done, and wait for its end."""
        ending: list[asyncio.Future[Any]] = [*self._locating, *self._running]
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._open_locations.aclose()

    def _locate(
        self, cryptos: list[DataVersion], tasks_of: _TasksOf, since_s: int, last_try: bool = False
    ) -> None:
        self._cryptos_to_come += len(cryptos)
        locating = asyncio.create_task(self._make_tasks(cryptos, tasks_of, since_s, last_try))
        self._locating.add(locating)
        locating.add_done_callback(self._events.put_nowait)

    async def _make_tasks(
        self, cryptos: list[DataVersion], tasks_of: _TasksOf, since_s: int, last_try: bool
    ) -> None:
        """Make the tasks of every crypto as its candles come, and send them."""
        others, failure = await self._locate_others(since_s)
        async for group in self._located(cryptos, since_s):
            for data, location in group:
                self._cryptos_to_come -= 1
                if failure or isinstance(location, BackcastError):
                    for task in tasks_of(data) if last_try else (None,):
                        self._events.put_nowait(TaskOutcome(data, task, failure or location))
                    continue
                self._ready.extend(LocatedTask(location, task, last_try, others) for task in tasks_of(data))
                if len(self._ready) >= _MOST_IN_BATCH:
                    self._send_batches()
                while len(self._ready) >= _MOST_IN_BATCH:
                    self._room.clear()
                    await self._room.wait()
            self._send_batches()

    async def _locate_others(self, since_s: int) -> tuple[tuple[CandleLocation, ...], BackcastError | None]:
        """Return the locations of the other cryptos' candles, or why one has none."""
        others = []
        async for group in self._located(list(self._job.others), since_s):
            for data, location in group:
                if isinstance(location, BackcastError):
                    reason = f"{data.symbol}, which the rules look at: {location}"
                    return (), type(location)(reason, reason=location.reason, **location.metadata)
                others.append(location)
        return tuple(others), None

    async def _located(
        self, cryptos: list[DataVersion], since_s: int
    ) -> AsyncGenerator[Sequence[tuple[DataVersion, CandleLocation | BackcastError]]]:
        """Yield every crypto with the location of its candles, which holds until the end of the job."""
        if not cryptos:
            return
        found = self._provider.columns(cryptos, self._job.interval, self._job.columns, since_s)
        locations = await self._open_locations.enter_async_context(aclosing(found))
        to_come = len(cryptos)
        # Not to the iterator's end: while it is open, the candles stay where they are.
        while to_come:
            group = await anext(locations)
            to_come -= len(group)
            yield group

    def _send_batches(self) -> None:
        """Send as many batches as may be under way."""
        most = _BATCHES_AT_ONCE * self._capacity
        while len(self._running) + self._is_unread < most and (self._suspects or self._ready):
            batch = TaskBatch(self._next_tasks())
            future = asyncio.wrap_future(self._workers.submit(run_batch, batch))
            self._running.add(future)
            future.add_done_callback(partial(self._put_done, batch))
        if len(self._ready) < _MOST_IN_BATCH:
            self._room.set()

    def _put_done(self, batch: TaskBatch, future: _BatchFuture) -> None:
        self._events.put_nowait((batch, future))

    def _next_tasks(self) -> list[LocatedTask]:
        if self._suspects:
            return [self._suspects.popleft()]
        # Batches get smaller towards the end, so that all workers end at about the same time.
        share = (len(self._ready) + self._cryptos_to_come) // (2 * self._capacity)
        size = min(self._batch_size, max(share, self._least_batch_size), len(self._ready))
        return [self._ready.popleft() for _ in range(size)]

    def _outcomes_of_batch(self, batch: TaskBatch, future: _BatchFuture) -> list[TaskOutcome]:
        """Return the outcomes of a batch; tasks that are tried again have none yet."""
        if future.cancelled():
            raise _stopping()
        try:
            done = future.result()
        except WorkerDied as death:
            if len(batch.tasks) > 1:
                self._suspects.extend(batch.tasks)
                return []
            return [
                TaskOutcome(located.location.data, located.task, death, location=located.location)
                for located in batch.tasks
            ]
        past_span("compute batch", done.seconds, tasks=len(batch.tasks))
        self._resize_batches(len(batch.tasks), done.seconds)
        outcomes = (
            self._outcome(located, result) for located, result in zip(batch.tasks, done.results, strict=True)
        )
        return [outcome for outcome in outcomes if outcome]

    def _resize_batches(self, count: int, seconds: float) -> None:
        """Approach the size that takes `batch_s` from below, so that the first results come early."""
        a_second = count / max(seconds, 1e-9)
        worth_sending = a_second * self._workers.batch_s
        fitting = min(max(1, int(worth_sending)), _MOST_IN_BATCH)
        self._batch_size = min(fitting, _MOST_GROWTH * self._batch_size)
        self._least_batch_size = min(math.ceil(_LEAST_SHARE * worth_sending), self._batch_size)

    def _outcome(self, located: LocatedTask, result: TaskResult) -> TaskOutcome | None:
        """Return the outcome of a task; None where it is tried again, with candles that are located anew."""
        data, value = result.data or located.location.data, result.value
        if isinstance(value, HistoryTooShort):
            self._locate([data], lambda _: [located.task], EARLIEST_S, located.last_try)
            return None
        if isinstance(value, FileNotFoundError) and not result.data:
            if not located.last_try:
                self._locate([data], lambda _: [located.task], self._job.since_s, last_try=True)
                return None
            value = Unavailable(
                "its candles change faster than they can be read: try again",
                reason=ErrorReason.CANDLES_CHANGING,
            )
        elif isinstance(value, Exception) and not isinstance(value, BackcastError):
            _log.error("task failed", symbol=data.symbol, exc_info=value)
            value = Internal(_INTERNAL)
        return TaskOutcome(data, located.task, value, result.others, located.location)


def _stopping() -> Unavailable:
    return Unavailable("compute is stopping", reason=ErrorReason.SERVICE_STOPPING, service="compute")
