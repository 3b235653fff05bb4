"""The database's edge: a pool of connections, and errors in the domain's words."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from services.data.store.heartbeat import Heartbeat
from services.domain.errors import ErrorReason, InvalidInput, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

# Its pool prints a traceback whenever the database is away. Callers are told so, and so is our log.
logging.getLogger("asyncpg").setLevel(logging.CRITICAL)

DEFAULT_PATIENCE_S = 5.0
# Others give theirs back within the time of a statement.
_LEND_TIMEOUT_S = 30
_SERVER_SETTINGS = {
    "application_name": "backcast-data",
    # Nothing that a service asks takes nearly as long; what does is a mistake, and would hold its connection.
    "statement_timeout": "60s",
    "timezone": "UTC",
    # A generic plan cannot exclude chunks by the times of the query.
    "plan_cache_mode": "force_custom_plan",
    # A crypto's scale may be widened, or all of its candles corrected: eleven years of hours are more than
    # TimescaleDB unpacks unless it is told to. PostgreSQL lets the name pass.
    "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
}

# Of a transaction that is broken off, again and again, because others wait for what it has locked.
ATTEMPTS = 5


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or has no room for more."""

    reason = ErrorReason.DATABASE_UNAVAILABLE


class Contended(DatabaseUnavailable):
    """Two transactions waited for each other, and this one was broken off: it can be tried again."""


class Database:
    """A pool of connections to PostgreSQL or TimescaleDB."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", heartbeat: Heartbeat) -> None:
        self._pool = pool
        self._heartbeat = heartbeat

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, pool_size: int, patience_s: float = DEFAULT_PATIENCE_S
    ) -> AsyncIterator["Database"]:
        """Open the pool for as long as the context lasts.

        A database that says nothing for `patience_s` is given up, and what waits for it ends: Unavailable.
        Raises InvalidInput where the URL is wrong, Unavailable where nobody answers.
        """
        connect = partial(asyncpg.connect, url, timeout=patience_s, server_settings=_SERVER_SETTINGS)
        pool = asyncpg.create_pool(
            url, min_size=1, max_size=pool_size, timeout=patience_s, server_settings=_SERVER_SETTINGS
        )
        try:
            with _named_errors():
                await pool
        except (asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError) as error:
            raise InvalidInput.of("BACKCAST_DATABASE_URL", f"the database refuses it: {error}") from error
        except (ValueError, IndexError):
            # The driver's words quote what it did not understand, and that may be a part of the password.
            raise InvalidInput.of(
                "BACKCAST_DATABASE_URL", "this is no postgresql://user:password@host:port/database"
            ) from None
        heartbeat = Heartbeat(connect, patience_s)
        try:
            # Connections that nobody has at that moment may be dead as well: no call is to find out.
            async with heartbeat.beating(on_silence=pool.expire_connections):
                yield cls(pool, heartbeat)
        finally:
            # It waits for the server to say goodbye; past that time it goes without.
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await pool.close()

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections are lent, and how many wait to be."""
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """Lend a connection; raise Unavailable where the database does not answer, or all stay lent."""
        with _named_errors():
            connection = await self._acquire()
            with self._heartbeat.ending(connection.terminate):
                try:
                    yield connection
                finally:
                    await self._pool.release(connection)

    async def _acquire(self) -> "Connection":
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


@asynccontextmanager
async def ended_with(connection: "Connection") -> AsyncIterator[None]:
    """End what is done here when the connection ends.

    asyncpg does not: a COPY into a server that dies while it does not take what we send waits for ever.
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
        # Cancelled by somebody else as well: that is for them to see.
        if not is_lost or task.uncancel():
            raise
        raise DatabaseUnavailable("the database does not answer") from None
    finally:
        if not connection.is_closed():
            connection.remove_termination_listener(end)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn the driver's errors about the connection into Unavailable."""
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
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable("the database does not answer") from error
