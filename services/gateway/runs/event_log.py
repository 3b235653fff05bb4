"""The events of a run: numbered from 1, kept until all who watch have seen them, and some longer."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from services.domain.errors import ErrorReason, NotFound

# What a stream that broke can have lost on its way is less; a reader that is slower than the run makes it
# wait with so much.
MOST_BYTES = 4 * 2**20


class EventLog:
    """Serialized events, at most about `most_bytes` of them: who adds more waits for those who watch."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._first = 1
        # The number of the last event that each watcher has seen.
        self._seen: dict[object, int] = {}
        self._ended = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the last event, 0 where there is none."""
        return self._first + len(self._kept) - 1

    @property
    def kept_bytes(self) -> int:
        """How many bytes of events are kept."""
        return self._kept_bytes

    def add(self, event: bytes) -> None:
        """Add the next event, in any case; `room` waits before one more."""
        self._kept.append(event)
        self._kept_bytes += len(event)
        self._drop_seen()
        self._news.set()

    async def room(self) -> None:
        """Wait until there is room for more, that is, until those who watch have seen enough."""
        while self._kept_bytes > self._most_bytes:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Let those who watch come to their end: there are no more events."""
        self._ended = True
        self._news.set()

    async def events(self, after: int) -> AsyncGenerator[bytes]:
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
        self._seen[watcher] = after
        try:
            while True:
                while self._seen[watcher] < self.last:
                    number = self._seen[watcher] + 1
                    yield self._kept[number - self._first]
                    self._seen[watcher] = number
                    self._drop_seen()
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            del self._seen[watcher]
            self._drop_seen()

    def _drop_seen(self) -> None:
        """Drop the oldest events as far as there are too many, and all who watch have seen them."""
        if self._kept_bytes > self._most_bytes:
            seen = min(self._seen.values(), default=self.last)
            while self._kept_bytes > self._most_bytes and self._first <= seen:
                self._kept_bytes -= len(self._kept.popleft())
                self._first += 1
            if self._kept_bytes <= self._most_bytes:
                self._room.set()
