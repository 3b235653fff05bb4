"""The lifecycle of a run: running while somebody watches it, paused while nobody does, until it ends."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from enum import Enum
from typing import Any

import structlog

from backcast_engine.errors import BackcastError, ErrorReason, NotFound
from services.domain.errors import Cancelled, Internal
from services.gateway.runs.admission import Slot
from services.gateway.runs.event_log import EventLog, LoggedEvent
from services.gateway.runs.record import RunRecord, record_run

_log = structlog.get_logger()

_CANCEL_AGAIN_S = 0.3
_BYTES_BESIDE_EVENTS = 4_096


class RunState(Enum):
    """The state of a run; its value is the outcome in the record."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run:
    """A run: a task that adds events to its log, and the watchers that read them.

    The run works while it is watched. When the last watcher leaves it is paused: the iterator of its events
    is closed, and a new one is opened for the next watcher. It is paused too where it waits for watchers that
    have read nothing for long, until one of them reads. A run that does not resume is cancelled instead.
    """

    def __init__(
        self,
        record: RunRecord,
        make_events: Callable[[], AsyncGenerator[list[LoggedEvent]]],
        slot: Slot,
        log: EventLog,
        *,
        resumes: bool,
        started_s: float,
        arrived_at: float,
    ) -> None:
        """`make_events` opens an iterator of the events that the iterators before have not yielded.

        `started_s` is in Unix seconds, `arrived_at` the same moment by time.monotonic().
        """
        self.record = record
        self.state = RunState.PAUSED
        self.started_s = started_s
        self.client = slot.client
        self.resumes = resumes
        self.watchers = 0
        self.ended_at: float | None = None
        """When it was paused or ended, by time.monotonic(); None while it is running."""
        self.on_end: Callable[[Run], None] = lambda _: None
        """Called when it is paused or has ended."""
        self._make_events: Callable[[], AsyncGenerator[list[LoggedEvent]]] | None = make_events
        self._slot = slot
        self._arrived_at = arrived_at
        self._log = log
        self._task: asyncio.Task[None] | None = None
        # Stops come one after the other, each in a task of its own: its caller may be cancelled.
        self._stop_lock = asyncio.Lock()
        self._stopping: set[asyncio.Task[None]] = set()
        self._error: BackcastError | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds from the request's arrival until now, or until its end."""
        return (self.ended_at or time.monotonic()) - self._arrived_at

    @property
    def last_sequence(self) -> int:
        """The number of its last event."""
        return self._log.last

    @property
    def kept_bytes(self) -> int:
        """About how many bytes of memory it takes."""
        return self._log.kept_bytes + _BYTES_BESIDE_EVENTS

    async def watch(self, after: int = 0) -> AsyncGenerator[LoggedEvent]:
        """Yield its events after the number `after`, and the next ones as they come.

        Raises the error that the run ends with; Exhausted where it is paused and there is no slot for it;
        NotFound where it was forgotten while no watcher read.
        """
        if self.state is RunState.PAUSED:
            self._start()
        self.watchers += 1
        try:
            async with aclosing(self._log.events(after)) as events:
                async for event in events:
                    yield event
                    if self.state is RunState.PAUSED:
                        # Nobody has read for a while, and this reader is back.
                        self._start()
            if self._error:
                raise self._error
        finally:
            self.watchers -= 1
            if not self.watchers and self.state is RunState.RUNNING:
                await self._stop(self._pause())

    async def cancel(self) -> None:
        """Cancel it for all watchers."""
        await self._stop(self._cancel())

    def forget(self) -> None:
        """Give up a paused run that the registry has forgotten; a watcher that reads again gets NotFound."""
        if self.state is RunState.PAUSED:
            self._log.forget()
            self._make_events = None
            self._error = NotFound(
                "the run was paused, and is not kept any more",
                reason=ErrorReason.RUN_NOT_FOUND,
                run_id=self.record.run_id,
            )

    def _start(self) -> None:
        if self._error:
            raise self._error
        if self._slot.released:
            slot = self._slot.admission.enter(self.client)
            try:
                slot.take_again(self._slot.backtests)
            except BackcastError:
                slot.release()
                raise
            self._slot = slot
        self.state, self.ended_at = RunState.RUNNING, None
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        end = RunState.FAILED
        try:
            if await self._add_events():
                end = RunState.COMPLETED
            elif self.resumes:
                end = RunState.PAUSED
            else:
                end = RunState.CANCELLED
                self._error = Cancelled(
                    "the run was cancelled: its client has read nothing for too long",
                    reason=ErrorReason.RUN_READER_IDLE,
                )
        except BackcastError as error:
            self._error = error
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            # A cancellation that nobody asked for is a bug too.
            _log.error("run failed", run_id=self.record.run_id, exc_info=error)
            self._error = Internal("internal error; the service's log has more")
        # It may have been cancelled meanwhile.
        if self.state is RunState.RUNNING:
            self._end(end)

    async def _add_events(self) -> bool:
        """Add the run's events to the log; return False where it stopped as no watcher reads them."""
        while True:
            assert self._make_events
            async with aclosing(self._make_events()) as events:
                async for several in events:
                    for event in several:
                        self._log.add(event)
                    # Other tasks of the event loop have their turn, such as those that send these events.
                    await asyncio.sleep(0)
                    if not await self._log.room():
                        break
                else:
                    return True
            # A watcher may have read while the events were closed: then the run goes on at once.
            if not self.resumes or not self._log.has_room:
                return False

    async def _stop(self, stopping: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(stopping)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        await asyncio.shield(task)

    async def _pause(self) -> None:
        async with self._stop_lock:
            # A watcher may have come meanwhile, or the run may have ended.
            if self.watchers or not self._is(RunState.RUNNING):
                return
            await self._halt()
            if self._is(RunState.RUNNING):
                self._end(RunState.PAUSED if self.resumes else RunState.CANCELLED)
            if self._is(RunState.PAUSED):
                self._resume_if_watched()

    def _resume_if_watched(self) -> None:
        """Resume for watchers who came while it was being paused, and found it running."""
        if self.watchers:
            try:
                self._start()
            except BackcastError as no_slot:
                self._error = no_slot
                self._end(RunState.FAILED)

    async def _cancel(self) -> None:
        async with self._stop_lock:
            await self._halt()
            if self._is(RunState.RUNNING, RunState.PAUSED):
                self._error = Cancelled("the run was cancelled")
                self._end(RunState.CANCELLED)

    def _is(self, *states: RunState) -> bool:
        return self.state in states

    async def _halt(self) -> None:
        """Cancel the task and wait for its end."""
        while self._task and not self._task.done():
            # Again and again: a library may lose a cancellation that comes at the wrong moment.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_S)

    def _end(self, state: RunState) -> None:
        self.state, self.ended_at = state, time.monotonic()
        self._slot.release()
        if state is not RunState.PAUSED:
            self._log.end()
            self._make_events = None
        self.record.outcome = type(self._error).__name__.lower() if state is RunState.FAILED else state.value
        self.record.phases_s["total"] = self.elapsed_s
        # After the watchers have got the last event.
        asyncio.get_running_loop().call_soon(record_run, self.record)
        self.on_end(self)
