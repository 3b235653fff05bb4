"""A run under way: the task that makes its events, and those who watch them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from enum import Enum
from typing import Any

import structlog

from services.domain.errors import BackcastError, Cancelled, Internal
from services.gateway.runs.admission import Place
from services.gateway.runs.event_log import EventLog
from services.gateway.runs.record import tell
from services.gateway.runs.run_report import RunReport

_log = structlog.get_logger()

# So many events are made before others on the event loop have their turn, or one that is long.
_EVENTS_AT_ONCE, _LONG_EVENT_BYTES = 8, 2**19
_CANCEL_AGAIN_S = 0.3
_BYTES_BESIDE_EVENTS = 4_096


class RunState(Enum):
    """What a run is doing."""

    RUNNING = "running"
    RESTING = "left"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LiveRun:
    """A run that is watched, or can be watched again.

    It works while it is watched. When the last watcher leaves it rests: what computes is closed, and opened
    again for the next watcher. A run that does not `resume` is cancelled then.
    """

    def __init__(
        self,
        report: RunReport,
        make_events: Callable[[], AsyncGenerator[bytes]],
        place: Place,
        *,
        resumes: bool,
        started_s: float,
        arrived_at: float,
    ) -> None:
        """`make_events` yields serialized events: those that it has not yielded when it was closed before.

        `started_s` is in Unix seconds, `arrived_at` the same moment by time.monotonic().
        """
        self.report = report
        self.state = RunState.RESTING
        self.started_s = started_s
        self.client = place.client
        self.resumes = resumes
        self.watchers = 0
        self.ended_at: float | None = None
        """When it came to rest or to its end, by time.monotonic(); None while it is running."""
        self.on_end: Callable[[LiveRun], None] = lambda _: None
        """Called when it came to rest or to its end."""
        self._make_events: Callable[[], AsyncGenerator[bytes]] | None = make_events
        self._place = place
        self._arrived_at = arrived_at
        self._log = EventLog()
        self._task: asyncio.Task[None] | None = None
        # One stops it after the other, each in a task of its own: whoever asks for it may be cancelled.
        self._to_stop = asyncio.Lock()
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
        """About what it takes in memory."""
        return self._log.kept_bytes + _BYTES_BESIDE_EVENTS

    async def watch(self, after: int = 0) -> AsyncGenerator[bytes]:
        """Yield its events after the number `after`, and go on as they come.

        Raises what the run ends with, and Exhausted where it rests and there is no place for it now.
        """
        if self.state is RunState.RESTING:
            self._start()
        self.watchers += 1
        try:
            async with aclosing(self._log.events(after)) as events:
                async for event in events:
                    yield event
            if self._error:
                raise self._error
        finally:
            self.watchers -= 1
            if not self.watchers and self.state is RunState.RUNNING:
                await self._stop(self._leave())

    async def cancel(self) -> None:
        """End it, whoever watches."""
        await self._stop(self._cancel())

    def _start(self) -> None:
        if self._place.left:
            place = self._place.admission.enter(self.client)
            try:
                place.take_again(self._place.backtests)
            except BackcastError:
                place.leave()
                raise
            self._place = place
        self.state, self.ended_at = RunState.RUNNING, None
        self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        assert self._make_events
        try:
            async with aclosing(self._make_events()) as events:
                async for event in events:
                    self._log.add(event)
                    if self._log.last % _EVENTS_AT_ONCE == 0 or len(event) >= _LONG_EVENT_BYTES:
                        await asyncio.sleep(0)
                    await self._log.room()
        except BackcastError as error:
            self._error = error
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            # A cancellation that nobody asked for is a bug too.
            _log.error("run failed", run_id=self.report.run_id, exc_info=error)
            self._error = Internal("internal error; the service's log has more")
        # It may have been ended while it came to its end.
        if self.state is RunState.RUNNING:
            self._end(RunState.FAILED if self._error else RunState.COMPLETED)

    async def _stop(self, stopping: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(stopping)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        await asyncio.shield(task)

    async def _leave(self) -> None:
        async with self._to_stop:
            # Somebody may have come meanwhile, or it may have come to its end.
            if self.watchers or not self._is(RunState.RUNNING):
                return
            await self._halt()
            if self._is(RunState.RUNNING):
                self._end(RunState.RESTING if self.resumes else RunState.CANCELLED)
            if self._is(RunState.RESTING):
                self._go_on_if_watched()

    def _go_on_if_watched(self) -> None:
        """Start again for those who came while it was being stopped, and found it running."""
        if self.watchers:
            try:
                self._start()
            except BackcastError as no_place:
                self._error = no_place
                self._end(RunState.FAILED)

    async def _cancel(self) -> None:
        async with self._to_stop:
            await self._halt()
            if self._is(RunState.RUNNING, RunState.RESTING):
                self._error = Cancelled("the run was cancelled")
                self._end(RunState.CANCELLED)

    def _is(self, *states: RunState) -> bool:
        return self.state in states

    async def _halt(self) -> None:
        """Cancel the task and wait for its end."""
        while self._task and not self._task.done():
            # Again and again: a library may lose a cancellation that comes in the wrong moment.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_S)

    def _end(self, state: RunState) -> None:
        self.state, self.ended_at = state, time.monotonic()
        self._place.leave()
        if state is not RunState.RESTING:
            self._log.end()
            self._make_events = None
        self.report.outcome = type(self._error).__name__.lower() if state is RunState.FAILED else state.value
        self.report.phases_s["total"] = self.elapsed_s
        # Those who wait for the last event come first.
        asyncio.get_running_loop().call_soon(tell, self.report)
        self.on_end(self)
