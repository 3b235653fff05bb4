"""Tasks on the candles of many cryptos: given to the workers as the candles come, a few at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from services.compute.candles.location import CandlePlace, CryptoData
from services.compute.workers.candle_tasks import Batch, BatchResult, PlacedTask, Task, TaskResult, run_batch
from services.compute.workers.worker import WorkerDied
from services.domain.errors import BackcastError, ErrorReason, Internal, Unavailable
from services.domain.interval import Interval
from services.telemetry.tracing import past_span

_log = structlog.get_logger()

# For each that the workers can do at once: one that they are at, and one that waits for them or is being
# read. A run that is cancelled, or whose reader is slow, has no more than these in any queue.
_BATCHES_AT_ONCE = 2
_MOST_IN_BATCH = 64


class Workers(Protocol):
    """An Executor (see concurrent.futures) that calls functions of modules in other processes."""

    batch_s: float
    """How many seconds of work it takes for the cost of sending it not to matter."""

    async def capacity(self) -> int:
        """Return how many calls it does at once; raise Unavailable where it does none."""

    def submit(self, fn: Callable[[Batch], BatchResult], batch: Batch, /) -> Future[BatchResult]:
        """Have a worker call `fn`. The future raises WorkerDied where workers died of it.

        Cancelling it gives the call up: what has not begun is taken back, and what has ends soon, where
        there is a way to end it.
        """


class CandleSupply(Protocol):
    """Knows where candles are, or brings them to where the workers find them."""

    def columns(
        self, cryptos: list[CryptoData], interval: Interval, columns: tuple[str, ...]
    ) -> AsyncGenerator[tuple[CryptoData, CandlePlace | BackcastError]]:
        """Yield every crypto with the place of its candles, which lasts until the iterator is closed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: its result, or why there is none.

    `data` is what it was computed from. A crypto that has no candles to begin with has one outcome, and that
    without a task.
    """

    data: CryptoData
    task: Task | None
    result: Any | BackcastError


TasksOf = Callable[[CryptoData], Iterable[Task]]


class TaskRunner:
    """Runs tasks in `workers`, on the candles that `supply` brings."""

    def __init__(self, workers: Workers, supply: CandleSupply) -> None:
        self._workers = workers
        self._supply = supply

    async def run(
        self, cryptos: list[CryptoData], interval: Interval, columns: tuple[str, ...], tasks_of: TasksOf
    ) -> AsyncGenerator[Outcome]:
        """Run the tasks that `tasks_of` makes of each crypto, as soon as its candles are there.

        Yield their outcomes in the order in which they complete. Closing the iterator gives up what is not
        done (see `Workers`). Raises Unavailable where the workers are away.
        """
        capacity = await self._workers.capacity()
        run = _Run(self._workers, capacity, partial(self._supply.columns, interval=interval, columns=columns))
        try:
            async with aclosing(run.outcomes(cryptos, tasks_of)) as outcomes:
                async for outcome in outcomes:
                    yield outcome
        finally:
            await run.close()


_Places = AsyncGenerator[tuple[CryptoData, CandlePlace | BackcastError]]
_BatchFuture = asyncio.Future[BatchResult]


class _Run:
    """One run: what is ready to be given out, what the workers have, and what came of it."""

    def __init__(
        self, workers: Workers, capacity: int, places_of: Callable[[list[CryptoData]], _Places]
    ) -> None:
        self._workers = workers
        self._capacity = capacity
        self._places_of = places_of
        # As long as these are open, the candles stay where they are.
        self._open_places = AsyncExitStack()
        self._bringing: set[asyncio.Task[None]] = set()
        self._cryptos_to_come = 0
        self._ready: deque[PlacedTask] = deque()
        self._room = asyncio.Event()
        # Those that were in a batch of which a worker died: now each is on its own.
        self._suspects: deque[PlacedTask] = deque()
        self._batch_size = 1
        self._batches_left = _BATCHES_AT_ONCE * capacity
        self._running: set[_BatchFuture] = set()
        self._events: asyncio.Queue[Outcome | asyncio.Task[None] | tuple[Batch, _BatchFuture]] = (
            asyncio.Queue()
        )

    async def outcomes(self, cryptos: list[CryptoData], tasks_of: TasksOf) -> AsyncGenerator[Outcome]:
        """Yield what becomes of all tasks."""
        self._bring(cryptos, tasks_of)
        while self._bringing or self._running:
            event = await self._events.get()
            if isinstance(event, Outcome):
                yield event
            elif isinstance(event, asyncio.Task):
                self._bringing.discard(event)
                event.result()
            else:
                batch, future = event
                self._running.discard(future)
                for outcome in self._outcomes_of(batch, future):
                    yield outcome
                self._batches_left += 1
                self._give_out()

    async def close(self) -> None:
        """Give up what is not done."""
        ending: list[asyncio.Future[Any]] = [*self._bringing, *self._running]
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._open_places.aclose()

    def _bring(self, cryptos: list[CryptoData], tasks_of: TasksOf, last_try: bool = False) -> None:
        self._cryptos_to_come += len(cryptos)
        bringing = asyncio.create_task(self._tasks_as_they_come(cryptos, tasks_of, last_try))
        self._bringing.add(bringing)
        bringing.add_done_callback(self._events.put_nowait)

    async def _tasks_as_they_come(self, cryptos: list[CryptoData], tasks_of: TasksOf, last_try: bool) -> None:
        places = await self._open_places.enter_async_context(aclosing(self._places_of(cryptos)))
        # Not to its end: as long as it is open, its candles stay.
        for _ in cryptos:
            data, place = await anext(places)
            self._cryptos_to_come -= 1
            if isinstance(place, BackcastError):
                for task in tasks_of(data) if last_try else (None,):
                    self._events.put_nowait(Outcome(data, task, place))
                continue
            self._ready.extend(PlacedTask(place, task, last_try) for task in tasks_of(data))
            self._give_out()
            while len(self._ready) >= _MOST_IN_BATCH:
                self._room.clear()
                await self._room.wait()

    def _give_out(self) -> None:
        """Send as many batches as there may be at once."""
        while self._batches_left and (self._suspects or self._ready):
            batch = Batch(self._next_tasks())
            future = asyncio.wrap_future(self._workers.submit(run_batch, batch))
            self._batches_left -= 1
            self._running.add(future)
            future.add_done_callback(partial(self._put_ended, batch))
        if len(self._ready) < _MOST_IN_BATCH:
            self._room.set()

    def _put_ended(self, batch: Batch, future: _BatchFuture) -> None:
        self._events.put_nowait((batch, future))

    def _next_tasks(self) -> list[PlacedTask]:
        if self._suspects:
            return [self._suspects.popleft()]
        # At the end they get smaller again, so that all workers end at about the same time.
        share = (len(self._ready) + self._cryptos_to_come) // (2 * self._capacity)
        size = min(self._batch_size, max(share, 1), len(self._ready))
        return [self._ready.popleft() for _ in range(size)]

    def _outcomes_of(self, batch: Batch, future: _BatchFuture) -> Iterator[Outcome]:
        if future.cancelled():
            raise Unavailable("compute is stopping", reason=ErrorReason.SERVICE_STOPPING, service="compute")
        try:
            done = future.result()
        except WorkerDied as death:
            if len(batch.tasks) > 1:
                self._suspects.extend(batch.tasks)
            else:
                yield from (Outcome(placed.place.data, placed.task, death) for placed in batch.tasks)
            return
        past_span("compute batch", done.seconds, tasks=len(batch.tasks))
        self._resize_batches(len(batch.tasks), done.seconds)
        for placed, result in zip(batch.tasks, done.results, strict=True):
            if outcome := self._outcome(placed, result):
                yield outcome

    def _resize_batches(self, count: int, seconds: float) -> None:
        """Approach the batch that takes as long as it should, from below: the first results are early."""
        fitting = int(count * self._workers.batch_s / max(seconds, 1e-9))
        self._batch_size = max(1, min(fitting, 2 * self._batch_size, _MOST_IN_BATCH))

    def _outcome(self, placed: PlacedTask, result: TaskResult) -> Outcome | None:
        """Return what became of a task; None where it is tried again, with candles that are brought anew."""
        data, value = result.data or placed.place.data, result.value
        if isinstance(value, FileNotFoundError) and not result.data:
            if not placed.last_try:
                self._bring([data], lambda _: [placed.task], last_try=True)
                return None
            value = Unavailable(
                "its candles change faster than they can be read: try again",
                reason=ErrorReason.CANDLES_CHANGING,
            )
        elif isinstance(value, Exception) and not isinstance(value, BackcastError):
            _log.error("task failed", symbol=data.symbol, exc_info=value)
            value = Internal("internal error; the service's log has more")
        return Outcome(data, placed.task, value)
