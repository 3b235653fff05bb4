"""The start of every run: its id, its slot and its record."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.gateway.auth.clients import current_client
from services.gateway.runs.admission import Admission, RequestSize, Slot
from services.gateway.runs.event_log import EventLog, LoggedEvent
from services.gateway.runs.record import RunRecord, record_run
from services.gateway.runs.registry import RunRegistry
from services.gateway.runs.run import Run, RunState
from services.rpc.version import VERSION_METADATA
from services.telemetry.run_id import RUN_ID_KEY, current_run_id

if TYPE_CHECKING:
    import grpc

    _Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that is being planned; `arrived_at` is when its request came, by time.monotonic()."""

    record: RunRecord
    arrived_at: float
    _started_s: float
    _slot: Slot
    _registry: RunRegistry
    _reader_idle_s: float

    def planned(self, strategy: str, size: RequestSize) -> None:
        """Note the plan, and take its backtests; raise TooLarge or Exhausted where they are too many."""
        self.record.strategy = strategy
        self.record.phases_s["plan"] = time.monotonic() - self.arrived_at
        self._slot.take(size)

    def run(self, events: Callable[[], AsyncGenerator[list[LoggedEvent]]], *, resumes: bool = False) -> Run:
        """Return the run of these events, which starts with its first watcher; see Run."""
        run = Run(
            self.record,
            events,
            self._slot,
            EventLog(self._reader_idle_s),
            resumes=resumes,
            started_s=self._started_s,
            arrived_at=self.arrived_at,
        )
        self._registry.add(run)
        return run

    def end(self) -> None:
        """End a run that had nothing to compute: nobody could watch or cancel it."""
        self._slot.release()
        self.record.outcome = RunState.COMPLETED.value
        self.record.phases_s["total"] = time.monotonic() - self.arrived_at
        # While the answer is on its way.
        asyncio.get_running_loop().call_soon(record_run, self.record)


class RunStarter:
    """Starts runs, as far as the limits allow."""

    def __init__(self, registry: RunRegistry, admission: Admission, reader_idle_s: float) -> None:
        """Runs whose readers have read nothing for `reader_idle_s` seconds are paused."""
        self._registry = registry
        self._admission = admission
        self._reader_idle_s = reader_idle_s

    @asynccontextmanager
    async def start(self, method: str, run_id: str, context: "_Context") -> AsyncIterator[RunStart]:
        """Start a run of the current client, and send the client its id and our version.

        Raises AlreadyExists or Exhausted. Where planning fails, id and slot are released.
        """
        arrived_at, started_s = time.monotonic(), time.time()
        client = current_client.get()
        run_id = self._registry.reserve(run_id, client)
        current_run_id.set(run_id)
        try:
            await context.send_initial_metadata(((RUN_ID_KEY, run_id), VERSION_METADATA))
            slot = self._admission.enter(client)
            try:
                record = RunRecord(run_id, method, client.name, strategy="")
                yield RunStart(record, arrived_at, started_s, slot, self._registry, self._reader_idle_s)
            except BaseException:
                slot.release()
                raise
        finally:
            self._registry.release(run_id, client)
