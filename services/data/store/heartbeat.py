"""Notices when the database does not answer any more, and ends what waits for it.

Its own limit on statements does not help then: a server that stands still does not count the time. And how
long a statement may take differs, from a list of cryptos to a migration; but a server that does not even
answer the smallest question answers nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg
import structlog

_log = structlog.get_logger()

# Whoever waits for longer than this makes the database be asked, as often as this.
_PAUSE_S = 1.0

_End = Callable[[], None]


class Heartbeat:
    """Asks the database over a connection of its own whether it is there, while somebody waits for it."""

    def __init__(self, connect: "Callable[[], Awaitable[asyncpg.Connection]]", patience_s: float) -> None:
        self._connect = connect
        self._patience_s = patience_s
        self._connection: asyncpg.Connection | None = None
        # Since when each waits (time.monotonic()), the longest first, and what ends it.
        self._waiting: dict[object, tuple[float, _End]] = {}

    @contextmanager
    def ending(self, end: _End) -> Iterator[None]:
        """Call `end` if the database stops answering while the context lasts."""
        key = object()
        self._waiting[key] = time.monotonic(), end
        try:
            yield
        finally:
            self._waiting.pop(key, None)

    @asynccontextmanager
    async def beating(self, on_silence: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Watch for as long as the context lasts; `on_silence` is awaited before those who wait are ended."""
        beat = asyncio.create_task(self._beat(on_silence))
        try:
            yield
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat
            self._drop_connection()

    async def _beat(self, on_silence: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(_PAUSE_S)
            since, _ = next(iter(self._waiting.values()), (time.monotonic(), None))
            if time.monotonic() - since < _PAUSE_S or await self._answers():
                continue
            _log.warning("the database does not answer", ended=len(self._waiting))
            await on_silence()
            waiting, self._waiting = self._waiting, {}
            for _, end in waiting.values():
                end()

    async def _answers(self) -> bool:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            # The driver's limit, which an answer that has come keeps even where this process stood still.
            await self._connection.fetchval("SELECT 1", timeout=self._patience_s)
        except TimeoutError:
            self._drop_connection()
            return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            # It refuses, or is gone with its connections: then those who wait hear it themselves.
            self._drop_connection()
        return True

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
