"""The events of a run: numbered from 1, kept until all watchers have read them, and some longer."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import NamedTuple, Self

from google.protobuf.message import Message

from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast_engine.errors import ErrorReason, NotFound
from services.wire.raw_fields import RawField

# A stream that breaks loses fewer bytes than this on its way. A run with a slow reader waits when so many
# bytes are unread.
MOST_BYTES = 4 * 2**20

RESULT = RawField(RunBacktestsResponse, "result")


class LoggedEvent(NamedTuple):
    """An event as all watchers get it: its pieces are serialized once, and never parsed again."""

    rest: bytes
    """All of the event, or all of it but `result`."""
    result: bytes = b""
    """The result of the event, where it may share an event with others."""

    @classmethod
    def of(cls, event: Message) -> Self:
        """Return an event of a sweep or a series for the log."""
        return cls(event.SerializeToString())

    @property
    def serialized(self) -> bytes:
        """The whole event."""
        return self.rest + RESULT.of(self.result) if self.result else self.rest

    @property
    def size(self) -> int:
        """About how many bytes it has."""
        return len(self.rest) + len(self.result)


async def logged(events: AsyncGenerator[Message]) -> AsyncGenerator[list[LoggedEvent]]:
    """Yield the events of a sweep or a series for the log, one by one."""
    async with aclosing(events):
        async for event in events:
            yield [LoggedEvent.of(event)]


class EventLog:
    """Serialized events, about `most_bytes` at most: a run that adds more waits for its watchers.

    The run waits until no watcher has read anything for `reader_idle_s` seconds; `timeout` measures that.
    """

    def __init__(
        self,
        reader_idle_s: float,
        most_bytes: int = MOST_BYTES,
        timeout: Callable[[float], AbstractAsyncContextManager[object]] = asyncio.timeout,
    ) -> None:
        self._reader_idle_s = reader_idle_s
        self._most_bytes = most_bytes
        self._timeout = timeout
        self._kept: deque[LoggedEvent] = deque()
        self._kept_bytes = 0
        self._first = 1
        # The number of the last event that each watcher has read.
        self._last_read: dict[object, int] = {}
        self._ended = False
        self._news = asyncio.Event()
        # A watcher has read an event, or left.
        self._progress = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the last event, 0 where there is none."""
        return self._first + len(self._kept) - 1

    @property
    def kept_bytes(self) -> int:
        """How many bytes of events are kept."""
        return self._kept_bytes

    def add(self, event: LoggedEvent) -> None:
        """Add the next event, even where there is no room; `room` waits for it."""
        self._kept.append(event)
        self._kept_bytes += event.size
        self._drop_read()
        self._news.set()

    @property
    def has_room(self) -> bool:
        """Whether the kept events are below the limit."""
        return self._kept_bytes <= self._most_bytes

    async def room(self) -> bool:
        """Wait until there is room, that is, until the watchers have read enough events.

        Return False where no watcher has read anything for `reader_idle_s`, although each had events to read.
        """
        while not self.has_room:
            self._progress.clear()
            try:
                async with self._timeout(self._reader_idle_s):
                    await self._progress.wait()
            except TimeoutError:
                # A watcher that has read every event is not idle: it waits for more.
                if all(read < self.last for read in self._last_read.values()):
                    return False
        return True

    def forget(self) -> None:
        """Drop all events."""
        self._first += len(self._kept)
        self._kept.clear()
        self._kept_bytes = 0

    def end(self) -> None:
        """End the log: after the last event, the streams of the watchers end."""
        self._ended = True
        self._news.set()

    async def events(self, after: int) -> AsyncGenerator[LoggedEvent]:
        """Yield the events after the number `after`, and go on as they come, until the end.

        Raises NotFound where the next one is not kept any more.
        """
        if after + 1 < self._first:
            raise NotFound(
                f"the run's events up to {self._first - 1:,} are not kept any more",
                reason=ErrorReason.RUN_EVENTS_NOT_KEPT,
                first_kept=str(self._first),
            )
        watcher = object()
        self._last_read[watcher] = after
        try:
            while True:
                while self._last_read[watcher] < self.last:
                    number = self._last_read[watcher] + 1
                    yield self._kept[number - self._first]
                    self._last_read[watcher] = number
                    self._drop_read()
                    self._progress.set()
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            del self._last_read[watcher]
            self._drop_read()
            self._progress.set()

    def _drop_read(self) -> None:
        """Drop the oldest events where there are too many bytes and every watcher has read them."""
        if not self.has_room:
            read = min(self._last_read.values(), default=self.last)
            while not self.has_room and self._first <= read:
                self._kept_bytes -= self._kept.popleft().size
                self._first += 1
