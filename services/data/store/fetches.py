"""Fetches that clients ask for: feed processes take them up, one at a time, and record how far they are.

A fetch is leased to its feed process. If that dies, the lease ends, and another one goes on with the fetch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from backcast_engine.errors import NotFound
from services.data.store.database import Database

if TYPE_CHECKING:
    import asyncpg

# How long a fetch is its feed process's without a word from it, and how long the process counts as there.
LEASE_S = 30
_KEPT_DAYS = 30


class FetchState(StrEnum):
    """How far a fetch is."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FetchSpec:
    """What is fetched: pairs by their symbols, or all of a quote currency.

    Times are Unix seconds; `end_s` is None for the newest hour that is closed. `again`: all hours are asked
    for, and stored candles are replaced.
    """

    exchange: str
    symbols: Sequence[str]
    quote: str
    with_delisted: bool
    start_s: int
    end_s: int | None
    again: bool


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """What a fetch has done; `done_symbols` has those that failed, too.

    `failures` are the first reasons by symbol, and `failed_count` is the number of all. `symbol` has got on
    last, up to `reached_s` (Unix seconds).
    """

    crypto_count: int = 0
    done_symbols: Sequence[str] = ()
    failed_count: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)
    inserted_count: int = 0
    corrected_count: int = 0
    unchanged_count: int = 0
    symbol: str = ""
    reached_s: int | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """A fetch; times are Unix seconds, None where it was not taken up, or has not ended."""

    fetch_id: str
    spec: FetchSpec
    state: FetchState
    error: str
    created_s: float
    begun_s: float | None
    finished_s: float | None
    progress: FetchProgress


class FetchStore:
    """The fetches in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, spec: FetchSpec) -> Fetch:
        """Create a fetch, and forget those that ended long ago."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_FORGET, _KEPT_DAYS)
            row = await connection.fetchrow(
                _CREATE,
                spec.exchange,
                list(spec.symbols),
                spec.quote,
                spec.with_delisted,
                spec.start_s,
                spec.end_s,
                spec.again,
            )
        assert row is not None
        return _fetch(row)

    async def all(self) -> list[Fetch]:
        """Return the fetches that have not ended, and those that ended in the last 30 days."""
        async with self._database.connection() as connection:
            return [_fetch(row) for row in await connection.fetch(_ALL, _KEPT_DAYS)]

    async def exchanges(self) -> list[str]:
        """Return the names of the exchanges that feed processes fetch from at present, in order."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_EXCHANGES, LEASE_S)
        return [row["exchange"] for row in rows]

    async def cancel(self, fetch_id: str) -> Fetch:
        """Cancel a fetch, unless it has ended; raise NotFound if there is none."""
        async with self._database.connection() as connection:
            await connection.execute(_CANCEL, fetch_id)
            return await self._one(connection, fetch_id)

    async def take(self, fetcher: str, exchanges: Sequence[str]) -> Fetch | None:
        """Note that a feed process is there, and return the fetch that it has to do, if there is one."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_SEEN, fetcher, list(exchanges))
            row = await connection.fetchrow(_TAKE, fetcher, list(exchanges), LEASE_S)
        return None if row is None else _fetch(row)

    async def record(
        self, fetch_id: str, fetcher: str, progress: FetchProgress, state: FetchState, error: str
    ) -> tuple[bool, Fetch]:
        """Record how far a fetch is; return whether it was recorded, and the fetch.

        Nothing is recorded where another feed process has it, or where it has ended. Raises NotFound if there
        is no such fetch.
        """
        async with self._database.connection() as connection, connection.transaction():
            recorded = await connection.fetchval(
                _RECORD,
                fetch_id,
                fetcher,
                LEASE_S,
                progress.crypto_count,
                list(progress.done_symbols),
                progress.failed_count,
                list(progress.failures),
                list(progress.failures.values()),
                progress.inserted_count,
                progress.corrected_count,
                progress.unchanged_count,
                progress.symbol,
                progress.reached_s,
                state,
                error,
            )
            await connection.execute("UPDATE fetchers SET seen_at = now() WHERE fetcher = $1", fetcher)
            return bool(recorded), await self._one(connection, fetch_id)

    async def release(self, fetcher: str) -> None:
        """Note that a feed process is gone: another one may take up at once what it has."""
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, fetcher)

    async def _one(self, connection: "_Connection", fetch_id: str) -> Fetch:
        row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM fetches WHERE fetch_id = $1", fetch_id)
        if row is None:
            raise NotFound(f"there is no fetch {fetch_id}")
        return _fetch(row)


if TYPE_CHECKING:
    from services.data.store.database import Connection as _Connection


def _fetch(row: "asyncpg.Record") -> Fetch:
    """Return the fetch of a row with `_COLUMNS`."""
    return Fetch(
        str(row["fetch_id"]),
        FetchSpec(
            row["exchange"],
            row["symbols"],
            row["quote"],
            row["with_delisted"],
            row["start_s"],
            row["end_s"],
            row["again"],
        ),
        FetchState(row["state"]),
        row["error"],
        row["created_s"],
        row["begun_s"],
        row["finished_s"],
        FetchProgress(
            row["crypto_count"],
            row["done_symbols"],
            row["failed_count"],
            dict(zip(row["failed_symbols"], row["failed_reasons"], strict=True)),
            row["inserted_count"],
            row["corrected_count"],
            row["unchanged_count"],
            row["present_symbol"],
            row["reached_s"],
        ),
    )


_COLUMNS = """
    fetches.fetch_id, exchange, symbols, quote, with_delisted, again, state, error,
    extract(epoch FROM start_at)::bigint AS start_s, extract(epoch FROM end_at)::bigint AS end_s,
    extract(epoch FROM created_at)::double precision AS created_s,
    extract(epoch FROM begun_at)::double precision AS begun_s,
    extract(epoch FROM finished_at)::double precision AS finished_s,
    crypto_count, done_symbols, failed_count, failed_symbols, failed_reasons,
    inserted_count, corrected_count, unchanged_count,
    present_symbol, extract(epoch FROM reached_at)::bigint AS reached_s
"""

_CREATE = f"""
INSERT INTO fetches (exchange, symbols, quote, with_delisted, start_at, end_at, again)
VALUES ($1, $2, $3, $4, to_timestamp($5), to_timestamp($6), $7)
RETURNING {_COLUMNS}
"""

_FORGET = "DELETE FROM fetches WHERE finished_at < now() - make_interval(days => $1)"

_ALL = f"""
SELECT {_COLUMNS} FROM fetches
WHERE finished_at IS NULL OR finished_at >= now() - make_interval(days => $1)
"""

_EXCHANGES = """
SELECT DISTINCT exchange COLLATE "C" AS exchange
FROM fetchers, unnest(exchanges) AS exchange
WHERE seen_at > now() - make_interval(secs => $1)
ORDER BY exchange
"""

_CANCEL = """
UPDATE fetches SET state = 'cancelled', finished_at = now(), leased_until = NULL
WHERE fetch_id = $1 AND finished_at IS NULL
"""

# A process that is started again has another name.
_SEEN = """
WITH forgotten AS (
    DELETE FROM fetchers WHERE seen_at < now() - INTERVAL '1 day' AND fetcher <> $1
)
INSERT INTO fetchers VALUES ($1, $2, now())
ON CONFLICT (fetcher) DO UPDATE SET exchanges = excluded.exchanges, seen_at = excluded.seen_at
"""

# What it has already comes first: the answer to the call before may be lost.
_TAKE = f"""
UPDATE fetches
SET state = 'running',
    fetcher = $1,
    leased_until = now() + make_interval(secs => $3),
    begun_at = coalesce(begun_at, now())
FROM (
    SELECT fetch_id FROM fetches
    WHERE finished_at IS NULL
        AND exchange = ANY ($2)
        AND (state = 'pending' OR fetcher = $1 OR leased_until <= now())
    ORDER BY fetcher <> $1, created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS next
WHERE fetches.fetch_id = next.fetch_id
RETURNING {_COLUMNS}
"""

# A late record of the process finds the fetch to be nobody's.
_RELEASE = """
WITH gone AS (DELETE FROM fetchers WHERE fetcher = $1)
UPDATE fetches SET fetcher = '', leased_until = now() WHERE fetcher = $1 AND finished_at IS NULL
"""

_RECORD = """
UPDATE fetches
SET leased_until = CASE WHEN $14 = 'running' THEN now() + make_interval(secs => $3) END,
    crypto_count = $4,
    done_symbols = $5,
    failed_count = $6,
    failed_symbols = $7,
    failed_reasons = $8,
    inserted_count = $9,
    corrected_count = $10,
    unchanged_count = $11,
    present_symbol = $12,
    reached_at = to_timestamp($13),
    state = $14,
    error = $15,
    finished_at = CASE WHEN $14 <> 'running' THEN now() END
WHERE fetch_id = $1 AND fetcher = $2 AND finished_at IS NULL
RETURNING true
"""
