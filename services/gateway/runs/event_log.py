"""The events of a run: numbered from 1, kept until all who watch have seen them, and some longer."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

from services.domain.errors import ErrorReason, NotFound

# What a stream that broke can have lost on its way is less; a reader that is slower than the run makes it
# wait with so much.
MOST_BYTES = 4 * 2**20


class EventLog:
    """Serialized events, at most about `most_bytes` of them: who adds more waits for those who watch.

    It waits for `reader_idle_s` at most without anybody reading; `timeout` measures that.
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
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._first = 1
        # The number of the last event that each watcher has seen.
        self._seen: dict[object, int] = {}
        self._ended = False
        self._news = asyncio.Event()
        # Somebody has read an event, or left.
        self._read = asyncio.Event()

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

    @property
    def has_room(self) -> bool:
        """Whether the events that are kept are not too many already."""
        return self._kept_bytes <= self._most_bytes

    async def room(self) -> bool:
        """Wait until there is room for more, that is, until those who watch have seen enough.

        Return False where none of them has read anything for `reader_idle_s`, and each could.
        """
        while not self.has_room:
            self._read.clear()
            try:
                async with self._timeout(self._reader_idle_s):
                    await self._read.wait()
            except TimeoutError:
                # Who has read all there is waits for more: the others are slower, but this one is not idle.
                if all(seen < self.last for seen in self._seen.values()):
                    return False
        return True

    def forget(self) -> None:
        """Keep no event any more."""
        self._first += len(self._kept)
        self._kept.clear()
        self._kept_bytes = 0

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
                    self._read.set()
                if self._ended:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            del self._seen[watcher]
            self._drop_seen()
            self._read.set()

    def _drop_seen(self) -> None:
        """Drop the oldest events as far as there are too many, and all who watch have seen them."""
        if not self.has_room:
            seen = min(self._seen.values(), default=self.last)
            while not self.has_room and self._first <= seen:
                self._kept_bytes -= len(self._kept.popleft())
                self._first += 1
