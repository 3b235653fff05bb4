"""A run whose work is a list of events that the test sends."""

import asyncio
from collections.abc import AsyncGenerator

from google.protobuf.wrappers_pb2 import BytesValue

from services.gateway.auth.clients import ANONYMOUS
from services.gateway.runs.admission import Admission
from services.gateway.runs.event_log import EventLog, LoggedEvent
from services.gateway.runs.record import RunRecord
from services.gateway.runs.run import Run

IDLE_S = 60.0


def event(number: int) -> BytesValue:
    return BytesValue(value=bytes([number]))


def number_of(logged: LoggedEvent) -> int:
    (number,) = BytesValue.FromString(logged.serialized).value
    return number


async def turns(count: int) -> None:
    """Let other tasks have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


class Work:
    """Makes events on demand, and knows whether it is at work."""

    def __init__(self) -> None:
        self.go = asyncio.Semaphore(0)
        self.made = 0
        self.at_work = False
        self.error: Exception | None = None
        self.total = 10
        self.makers = 0
        self.turns_to_close = 0
        self.closing: asyncio.Event | None = None
        self.loses_cancellations = 0

    async def events(self) -> AsyncGenerator[list[LoggedEvent]]:
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
                yield [LoggedEvent.of(event(self.made))]
        finally:
            await turns(self.turns_to_close)
            if self.closing:
                await self.closing.wait()
            self.makers -= 1
            self.at_work = False


def live(
    admission: Admission,
    work: Work,
    *,
    resumes: bool = True,
    run_id: str = "one",
    log: EventLog | None = None,
) -> Run:
    return Run(
        RunRecord(run_id, "RunBacktests", "anonymous", "rsi"),
        work.events,
        admission.enter(ANONYMOUS),
        log or EventLog(IDLE_S),
        resumes=resumes,
        started_s=0,
        arrived_at=0,
    )
