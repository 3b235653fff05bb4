"""The database's edge: a pool of connections, and errors in the domain's words."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import asyncpg

from services.shared.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

_CONNECT_TIMEOUT_S = 5
# Others give theirs back within the time of a statement.
_LEND_TIMEOUT_S = 30
# Nothing that a service asks takes nearly as long; what does is a mistake, and would hold its connection.
_STATEMENT_TIMEOUT = "60s"

# Of a transaction that is broken off, again and again, because others wait for what it has locked.
ATTEMPTS = 5


class Contended(Unavailable):
    """Two transactions waited for each other, and this one was broken off: it can be tried again."""


class Database:
    """A pool of connections to PostgreSQL or TimescaleDB."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, pool_size: int) -> AsyncIterator["Database"]:
        """Open the pool for as long as the context lasts.

        Raises InvalidInput where the URL is wrong, Unavailable where nobody answers.
        """
        pool = asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=_CONNECT_TIMEOUT_S,
            server_settings={
                "application_name": "backcast-data",
                "statement_timeout": _STATEMENT_TIMEOUT,
                "timezone": "UTC",
                # A generic plan cannot exclude chunks by the times of the query.
                "plan_cache_mode": "force_custom_plan",
                # A crypto's scale may be widened, or all of its candles corrected: eleven years of hours
                # are more than TimescaleDB unpacks unless it is told to. PostgreSQL lets the name pass.
                "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
            },
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
        try:
            yield cls(pool)
        finally:
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
            try:
                connection = await self._pool.acquire(timeout=_LEND_TIMEOUT_S)
            except TimeoutError as error:
                if self._pool.get_size() < self._pool.get_max_size():
                    raise
                raise Unavailable("all connections to the database are in use: try again") from error
            try:
                yield connection
            finally:
                await self._pool.release(connection)


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
        raise Unavailable("the database does not answer") from None
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
        raise Unavailable(f"the database refuses the connection: {error}") from error
    except (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError) as error:
        raise Unavailable("the database is starting or stopping") from error
    except asyncpg.TooManyConnectionsError as error:
        raise Unavailable("the database has no connection left") from error
    except asyncpg.DeadlockDetectedError as error:
        raise Contended("the database is busy with the same candles: try again") from error
    except asyncpg.QueryCanceledError as error:
        raise Unavailable("the database took too long") from error
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
        raise Unavailable("the database does not answer") from error
