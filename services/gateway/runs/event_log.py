"""The log of a run's events: numbered from 1, and kept at least until every watcher has read them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from services.domain.errors import NotFound

# A stream that breaks loses less than this on its way. A run whose reader is slow waits with so many bytes.
MOST_BYTES = 4 * 2**20


class EventLog:
    """Serialized events, about `most_bytes` at most: a run that adds more waits for its watchers."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._first = 1
        # The number of the last event that each watcher has read.
        self._read: dict[object, int] = {}
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
        """Add the next event, even where there is no room; `room` waits for it."""
        self._kept.append(event)
        self._kept_bytes += len(event)
        self._drop_read()
        self._news.set()

    async def room(self) -> None:
        """Wait until there is room, that is, until the watchers have read enough events."""
        while self._kept_bytes > self._most_bytes:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """End the log: after the last event, the streams of the watchers end."""
        self._ended = True
        self._news.set()

    async def events(self, after: int) -> AsyncGenerator[bytes]:
        """Yield the events after the number `after`, and go on as they come, until the end.

        Raises NotFound where the next one is not kept any more.
        """
        if after + 1 < self._first:
            raise NotFound(f"the run's events up to {self._first - 1:,} are not kept any more")
        watcher = object()
        self._read[watcher] = after
        try:
            while True:
                while self._read[watcher] < self.last:
                    number = self._read[watcher] + 1
                    yield self._kept[number - self._first]
                    self._read[watcher] = number
                    self._drop_read()
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            del self._read[watcher]
            self._drop_read()

    def _drop_read(self) -> None:
        """Drop the oldest events where there are too many bytes and every watcher has read them."""
        if self._kept_bytes > self._most_bytes:
            read = min(self._read.values(), default=self.last)
            while self._kept_bytes > self._most_bytes and self._first <= read:
                self._kept_bytes -= len(self._kept.popleft())
                self._first += 1
            if self._kept_bytes <= self._most_bytes:
                self._room.set()
