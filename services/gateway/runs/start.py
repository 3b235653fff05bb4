"""The beginning of every run: its id, its place among those under way, and what is told of it."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from services.gateway.auth.clients import current_client
from services.gateway.runs.admission import Admission, Place, RequestSize
from services.gateway.runs.live_run import LiveRun
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run_report import RunReport
from services.telemetry.run_id import RUN_ID_KEY, current_run_id

if TYPE_CHECKING:
    import grpc

    _Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that is being planned; `arrived_at` is when its request came, by time.monotonic()."""

    report: RunReport
    arrived_at: float
    _started_s: float
    _place: Place
    _registry: RunRegistry

    def planned(self, strategy: str, size: RequestSize) -> None:
        """Take note of what is asked for; raise TooLarge or Exhausted where that is too much."""
        self.report.strategy = strategy
        self.report.phases_s["plan"] = time.monotonic() - self.arrived_at
        self._place.take(size)

    def run(self, events: Callable[[], AsyncGenerator[Any]], *, resumes: bool = False) -> LiveRun:
        """Return the run that yields `events`; see LiveRun."""
        run = LiveRun(
            self.report,
            lambda: _serialized(events()),
            self._place,
            resumes=resumes,
            started_s=self._started_s,
            arrived_at=self.arrived_at,
        )
        self._registry.add(run)
        return run


class RunStarter:
    """Lets runs begin, as far as the limits allow it."""

    def __init__(self, registry: RunRegistry, admission: Admission) -> None:
        self._registry = registry
        self._admission = admission

    @asynccontextmanager
    async def start(self, method: str, run_id: str, context: "_Context") -> AsyncIterator[RunStart]:
        """Begin a run of whoever asks, and tell the client its id.

        Raises InvalidInput, AlreadyExists or Exhausted. What fails inside gives back what was taken.
        """
        arrived_at, started_s = time.monotonic(), time.time()
        client = current_client.get()
        run_id = self._registry.reserve(run_id, client)
        current_run_id.set(run_id)
        try:
            await context.send_initial_metadata(((RUN_ID_KEY, run_id),))
            place = self._admission.enter(client)
            try:
                report = RunReport(run_id, method, client.name, strategy="")
                yield RunStart(report, arrived_at, started_s, place, self._registry)
            except BaseException:
                place.leave()
                raise
        finally:
            self._registry.release(run_id, client)


async def _serialized(events: AsyncGenerator[Message]) -> AsyncGenerator[bytes]:
    async with aclosing(events):
        async for event in events:
            yield event.SerializeToString()
