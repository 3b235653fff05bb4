"""Heartbeat: detects that the database no longer answers, and ends the calls that wait for it.

PostgreSQL's statement timeout does not help, because a server that hangs does not enforce it. A timeout of
our own per statement does not help either, because durations differ, from a list of cryptos to a migration.
But a server that does not answer the smallest query answers no other one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg
import structlog

_log = structlog.get_logger()

# Seconds that a call waits before the database is checked, and between checks.
_PAUSE_S = 1.0

_End = Callable[[], None]


class Heartbeat:
    """Checks the database over a separate connection, while calls wait for it."""

    def __init__(self, connect: "Callable[[], Awaitable[asyncpg.Connection]]", timeout_s: float) -> None:
        self._connect = connect
        self._timeout_s = timeout_s
        self._connection: asyncpg.Connection | None = None
        # For each waiting call its start (time.monotonic()), the oldest first, and the function that ends it.
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
        """Watch for as long as the context lasts; `on_silence` is awaited before waiting calls are ended."""
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
            _log.warning("database stopped responding", calls_ended=len(self._waiting))
            await on_silence()
            waiting, self._waiting = self._waiting, {}
            for _, end in waiting.values():
                end()

    async def _answers(self) -> bool:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            # With the driver's timeout, an answer that has arrived counts even if this process was stopped.
            await self._connection.fetchval("SELECT 1", timeout=self._timeout_s)
        except TimeoutError:
            self._drop_connection()
            return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            # The server refuses connections or is gone: then waiting calls get an error of their own.
            self._drop_connection()
        return True

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
