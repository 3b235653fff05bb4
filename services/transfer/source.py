"""The source of a migration: a table of another database, read in one read-only snapshot."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.errors import BackcastError, InvalidInput
from services.domain.errors import Unavailable
from services.domain.symbols import canonical_symbol
from services.transfer.row_filter import SourceRows
from services.transfer.source_names import SourceNames
from services.transfer.source_queries import SourceQueries, read_queries

_CONNECT_TIMEOUT_S = 10
# Most rows of a crypto: twice the hours since 1970. More rows are not hourly candles, and need not fit in
# memory.
_MOST_ROWS = 2**20
_MICROSECONDS = 1_000_000
_POSTGRES_EPOCH_S = 946_684_800
# As in files, the unit of an epoch is the coarsest that puts it before the year 5138: seconds, ms, µs or ns.
_UNITS_PER_S = np.array((1, 10**3, 10**6, 10**9))
_UNIT_LIMITS = np.array((10**11, 10**14, 10**17))


@dataclass(frozen=True, slots=True)
class SourceCrypto:
    """A crypto of the source: its key there, its canonical symbol, and the number of its rows."""

    key: object
    symbol: str
    rows: int


@dataclass(frozen=True, slots=True)
class SourceMarket:
    """The cryptos that have rows, in order of their symbols, and sentences about rows without a crypto."""

    cryptos: list[SourceCrypto]
    left_out: list[str]


class Source:
    """A connection to the source, in one read-only transaction."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", queries: SourceQueries, names: SourceNames
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._names = names

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, names: SourceNames) -> AsyncIterator["Source"]:
        """Open the source for as long as the context lasts.

        Raises InvalidInput, naming URL or the option, if the database, a table or a column is wrong.
        """
        connection = await _connect(url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                with _named_errors():
                    queries = await read_queries(connection, names)
                yield cls(connection, queries, names)
        finally:
            # Terminated, not closed: nothing has to be saved, and the source may not answer.
            connection.terminate()

    async def market(self) -> SourceMarket:
        """Count all rows; raise InvalidInput if two cryptos have the same symbol."""
        with _named_errors():
            listed = await self._connection.fetch(self._queries.market)
        cryptos: dict[str, SourceCrypto] = {}
        left_out = []
        for key, name, rows in listed:
            counted = f"{rows:,} rows with {self._names.column('crypto_id')} {key}"
            if name is None:
                left_out.append(f"{counted} have no crypto in {self._names.symbols_table}")
                continue
            try:
                symbol = canonical_symbol(name, "their symbol")
            except BackcastError as error:
                left_out.append(f"{counted}: {error}")
                continue
            if symbol in cryptos:
                raise InvalidInput.of(
                    "--symbols-table", f"{symbol} occurs twice, as {cryptos[symbol].key} and as {key}"
                )
            if rows > _MOST_ROWS:
                left_out.append(f"{counted} ({symbol}): there are not so many hours since 1970")
                continue
            cryptos[symbol] = SourceCrypto(key, symbol, rows)
        return SourceMarket([cryptos[symbol] for symbol in sorted(cryptos)], left_out)

    async def rows(self, crypto: SourceCrypto) -> SourceRows:
        """Read all rows of a crypto."""
        with _named_errors():
            # Each column arrives as one value, without an object per row, as in CandleTable.ticks.
            sent = await self._connection.fetchrow(self._queries.rows, crypto.key)
        assert sent is not None  # an aggregate always has a row
        times, *values = (column or b"" for column in sent)
        open_time_s, has_time, off_second = (
            _epochs(np.frombuffer(times, ">f8").astype(np.float64))
            if self._queries.has_epochs
            else _timestamps(np.frombuffer(times, ">i8").astype(np.int64))
        )
        columns = [np.frombuffer(column, ">f8").astype(np.float64) for column in values]
        return SourceRows(Candles(open_time_s, *columns), has_time, off_second)


def _timestamps(
    microseconds: NDArray[np.int64],
) -> tuple[TimeColumn, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return Unix seconds of PostgreSQL's times, which of them are finite, and which have a fraction."""
    # Infinity and missing times are the smallest and largest numbers.
    is_finite = (microseconds != np.iinfo(np.int64).max) & (microseconds != np.iinfo(np.int64).min)
    seconds, rest = np.divmod(np.where(is_finite, microseconds, 0), _MICROSECONDS)
    return seconds + _POSTGRES_EPOCH_S, is_finite, rest != 0


def _epochs(epochs: NDArray[np.float64]) -> tuple[TimeColumn, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return Unix seconds of epochs in any unit, which of them are numbers, and which have a fraction."""
    is_time = np.isfinite(epochs) & (np.abs(epochs) < 2.0**63)
    numbers = np.where(is_time, epochs, 0.0)
    units = _UNITS_PER_S[np.searchsorted(_UNIT_LIMITS, np.abs(numbers), side="right")]
    seconds, rest = np.divmod(numbers, units)
    return seconds.astype(np.int64), is_time, rest != 0


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    # The driver's messages are not shown: they can quote the URL, and so the password.
    try:
        return await asyncpg.connect(
            url,
            timeout=_CONNECT_TIMEOUT_S,
            server_settings={
                "application_name": "backcast-move",
                "default_transaction_read_only": "on",
                "statement_timeout": "0",
                "idle_in_transaction_session_timeout": "0",
                "timezone": "UTC",
            },
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
        raise InvalidInput.of("URL", "the database refuses the user or the password") from None
    except asyncpg.InvalidCatalogNameError:
        raise InvalidInput.of("URL", "there is no such database") from None
    except asyncpg.PostgresError as error:
        raise Unavailable(f"URL: the database refuses the connection ({type(error).__name__})") from None
    except (ValueError, IndexError, asyncpg.InterfaceError) as error:
        if isinstance(error, ssl.SSLError):
            raise Unavailable("URL: the database's certificate is not valid") from None
        raise InvalidInput.of(
            "URL", "is not of the form postgresql://user:password@host:port/database"
        ) from None
    except OSError:
        raise Unavailable("URL: no database answers there") from None


@contextmanager
def _named_errors() -> Iterator[None]:
    """Translate the driver's errors to domain errors."""
    try:
        yield
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError):
        raise Unavailable("the source no longer answers: run the command again to continue") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise InvalidInput.of("URL", f"this user may not read it: {error}") from None
    except asyncpg.PostgresError as error:
        raise InvalidInput.of("--table", f"the source cannot be read: {error}") from None
