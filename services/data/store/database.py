"""The pool of database connections, and translation of the driver's errors to domain errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from backcast_engine.errors import ErrorReason, InvalidInput
from services.data.store.heartbeat import Heartbeat
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
    _Connect = Callable[..., Awaitable[asyncpg.Connection[asyncpg.Record]]]

# asyncpg's pool logs a traceback whenever the database is away; callers get an error, and we log it
# ourselves.
logging.getLogger("asyncpg").setLevel(logging.CRITICAL)

DEFAULT_TIMEOUT_S = 5.0
# Seconds to wait for a connection of the pool: a statement takes no longer than its timeout.
_LEND_TIMEOUT_S = 30
_SERVER_SETTINGS = {
    "application_name": "backcast-data",
    # No statement of a service takes nearly as long; a longer one is a bug, and would hold its connection.
    "statement_timeout": "60s",
    "timezone": "UTC",
    # A generic plan cannot exclude chunks by the query's times.
    "plan_cache_mode": "force_custom_plan",
    # An import can change the scale of a crypto or correct all of its candles: eleven years of hours exceed
    # TimescaleDB's default limit. Plain PostgreSQL accepts the unknown name.
    "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
}

# InternalClientError: the server ended the session while nobody waited for an answer, and the driver has not
# closed the connection yet.
_CONNECTION_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# Attempts of a transaction that is aborted because of a deadlock.
ATTEMPTS = 5


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or has no room for more."""

    reason = ErrorReason.DATABASE_UNAVAILABLE


class Contended(DatabaseUnavailable):
    """This transaction was aborted because of a deadlock or conflict; it can be retried."""


class Database:
    """A pool of connections to PostgreSQL or TimescaleDB."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", connect: "_Connect", heartbeat: Heartbeat
    ) -> None:
        self._pool = pool
        self._connect = connect
        self._heartbeat = heartbeat

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, pool_size: int, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> AsyncIterator["Database"]:
        """Open the pool for as long as the context lasts.

        If the database does not answer for `timeout_s`, calls that wait for it raise Unavailable. Raises
        InvalidInput if the URL is wrong, and Unavailable if no database answers.
        """
        connect = partial(asyncpg.connect, url, timeout=timeout_s)
        pool = asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=timeout_s,
            server_settings=_SERVER_SETTINGS,
            reset=_keep_session,
        )
        try:
            with _named_errors():
                await pool
        except (asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError) as error:
            raise InvalidInput.of("BACKCAST_DATABASE_URL", f"the database refuses it: {error}") from error
        except (ValueError, IndexError):
            # The driver's message is not shown: it quotes the URL, perhaps a part of the password.
            raise InvalidInput.of(
                "BACKCAST_DATABASE_URL", "is not of the form postgresql://user:password@host:port/database"
            ) from None
        heartbeat = Heartbeat(partial(connect, server_settings=_SERVER_SETTINGS), timeout_s)
        try:
            # Idle connections may be dead as well; they are closed, so that no call has to find out.
            async with heartbeat.beating(on_silence=pool.expire_connections):
                yield cls(pool, connect, heartbeat)
        finally:
            # Closing waits for the server, but not longer than this.
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await pool.close()

    @property
    def connections(self) -> tuple[int, int]:
        """The numbers of connections in use and idle."""
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """Acquire a connection; raise Unavailable if the database does not answer or all stay in use.

        Statements must not change its session, which the next caller gets as it is: see `session`.
        """
        with _named_errors():
            connection = await self._acquire()
            with self._heartbeat.ending(connection.terminate):
                try:
                    yield connection
                except asyncpg.InternalClientError:
                    # The server has ended the session; the pool would lend the connection until it is closed.
                    connection.terminate()
                    raise
                finally:
                    await self._pool.release(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Connection"]:
        """Open a connection beside the pool, for locks of a session and for statements of any duration."""
        with _named_errors():
            settings = _SERVER_SETTINGS | {"statement_timeout": "0"}
            connection = await self._connect(server_settings=settings)
            with self._heartbeat.ending(connection.terminate):
                try:
                    yield connection
                finally:
                    await connection.close()

    async def _acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        try:
            async with asyncio.timeout(_LEND_TIMEOUT_S) as waiting:

                def end() -> None:
                    if not waiting.expired():
                        waiting.reschedule(0)

                with self._heartbeat.ending(end):
                    return await self._pool.acquire()
        except TimeoutError as error:
            if self._pool.get_size() < self._pool.get_max_size():
                raise
            raise DatabaseUnavailable("all connections to the database are in use: try again") from error


async def _keep_session(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Skip asyncpg's reset of the session: it takes as long as a short query, and nothing changes it."""


async def has_timescale(connection: "Connection") -> bool:
    """Return whether the candles are in hypertables of TimescaleDB."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
    )


@asynccontextmanager
async def ended_with(connection: "Connection") -> AsyncIterator[None]:
    """Cancel the body when the connection is lost.

    asyncpg does not: a COPY into a server that stops reading and dies would wait for ever.
    """
    task, is_lost = asyncio.current_task(), False
    assert task is not None

    def end(_: object) -> None:
        nonlocal is_lost
        is_lost = True
        task.cancel()

    connection.add_termination_listener(end)
    try:
        yield
    except asyncio.CancelledError:
        # The task was also cancelled from outside, so the cancellation goes on.
        if not is_lost or task.uncancel():
            raise
        raise DatabaseUnavailable("the database does not answer") from None
    finally:
        if not connection.is_closed():
            connection.remove_termination_listener(end)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Translate the driver's errors about the connection to Unavailable."""
    try:
        yield
    except asyncpg.ClientConfigurationError:
        raise  # is about the URL, though it is an InterfaceError too
    except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise DatabaseUnavailable(f"the database refuses the connection: {error}") from error
    except (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError) as error:
        raise DatabaseUnavailable("the database is starting or stopping") from error
    except asyncpg.TooManyConnectionsError as error:
        raise DatabaseUnavailable("the database has no connection left") from error
    except asyncpg.DeadlockDetectedError as error:
        raise Contended("the database is busy with the same candles: try again") from error
    except asyncpg.QueryCanceledError as error:
        raise DatabaseUnavailable("the database took too long") from error
    except _CONNECTION_LOST as error:
        raise DatabaseUnavailable("the database does not answer") from error
