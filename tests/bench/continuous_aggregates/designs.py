"""The two designs: longer candles that the import writes, and continuous aggregates of TimescaleDB.

Each has a database of its own on one server, with the same hourly candles in the same table `candles_1h`.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

import asyncpg

from backcast_engine.candles import Candles
from services.data.schema.migrate import migrate
from services.data.store import writer
from services.data.store.database import Database
from tests.bench.candles.market import compress_chunks, timed_imports
from tests.data.timescale_server import TimescaleServer

History = tuple[str, Candles]

_COLUMNS = ("ts", "candle_count", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Writing:
    """How many seconds a change of hourly candles took until all longer candles were right."""

    import_s: float
    refresh_s: float = 0.0

    @property
    def total_s(self) -> float:
        """Both, one after the other."""
        return self.import_s + self.refresh_s


class Design(ABC):
    """A database, and where its longer candles are: the relations of 4 hours, days and weeks."""

    relations: tuple[str, str, str]

    def __init__(self, database: Database) -> None:
        self.database = database

    @abstractmethod
    async def write(self, histories: list[History]) -> Writing:
        """Import hourly candles, and bring the longer candles up to date."""

    async def compress(self) -> None:
        """Compress all chunks, of hourly and of longer candles."""
        await compress_chunks(self.database, 1)

    async def compress_ended(self, end_s: int) -> None:
        """Compress the chunks that end before `end_s`, as Backcast does at that time in a live market."""
        await compress_chunks(self.database, (int(time.time()) - end_s) // 86_400)

    async def size(self) -> int:
        """Return the bytes that the longer candles take on disk, with their indexes."""
        query = "SELECT coalesce(hypertable_size($1::regclass), pg_total_relation_size($1::regclass))"
        async with self.database.connection() as connection:
            return sum([await connection.fetchval(query, relation) for relation in self.relations])

    async def checksums(self) -> list[tuple[int, int]]:
        """Return, for each relation, how many longer candles there are, and a checksum of all values."""
        values = ", ".join(f"longer.{column}" for column in _COLUMNS)
        checksums = []
        async with self.database.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            for relation in self.relations:
                row = await connection.fetchrow(
                    f"SELECT count(*), sum(hashtextextended(concat_ws(' ', symbol, {values}), 0)) "
                    f"FROM {relation} AS longer JOIN cryptos USING (crypto_id)"
                )
                assert row  # an aggregate always has a row
                checksums.append((row[0], row[1]))
        return checksums

    async def read_days(self, symbol: str, start_s: int) -> float:
        """Read the days of a crypto from `start_s` on; return the seconds."""
        async with self.database.connection() as connection:
            crypto_id = await connection.fetchval("SELECT crypto_id FROM cryptos WHERE symbol = $1", symbol)
            began = time.perf_counter()
            days = await connection.fetch(
                f"SELECT {', '.join(_COLUMNS)} FROM {self.relations[1]} "
                "WHERE crypto_id = $1 AND ts >= to_timestamp($2) ORDER BY ts",
                crypto_id,
                start_s,
            )
            took_s = time.perf_counter() - began
        assert len(days) >= 365
        return took_s

    async def week_volume(self, symbol: str, time_s: int) -> int:
        """Return the volume, in ticks, of the week that holds a time."""
        async with self.database.connection() as connection:
            volume: int = await connection.fetchval(
                f"SELECT volume FROM {self.relations[2]} JOIN cryptos USING (crypto_id) "
                "WHERE symbol = $1 AND ts <= to_timestamp($2) ORDER BY ts DESC LIMIT 1",
                symbol,
                time_s,
            )
        return volume


class Tables(Design):
    """Backcast's design: tables that the import writes in the transaction that writes the hours."""

    relations = ("candles_4h", "candles_1d", "candles_1w")

    async def write(self, histories: list[History]) -> Writing:
        """Import hourly candles; that is all."""
        return Writing(await timed_imports(self.database, histories))


class ContinuousAggregates(Design):
    """The alternative: the import writes hours only; days are aggregates of 4 hours, weeks of days."""

    relations = ("aggregate_4h", "aggregate_1d", "aggregate_1w")
    _widths = ("4 hours", "1 day", "7 days")

    async def create(self) -> None:
        """Create the aggregates, empty; the same columns in the same ticks as the tables have."""
        async with self.database.connection() as connection:
            source, candle_count = "candles_1h", "count(*)"
            for relation, width in zip(self.relations, self._widths, strict=True):
                await connection.execute(
                    f"""
                    CREATE MATERIALIZED VIEW {relation} WITH (timescaledb.continuous) AS
                    SELECT crypto_id, time_bucket('{width}', source.ts) AS ts,
                        {candle_count}::smallint AS candle_count,
                        first(open, source.ts) AS open, max(high) AS high, min(low) AS low,
                        last(close, source.ts) AS close, sum(volume)::bigint AS volume
                    FROM {source} AS source
                    GROUP BY crypto_id, time_bucket('{width}', source.ts)
                    WITH NO DATA
                    """
                )
                source, candle_count = relation, "sum(candle_count)"

    async def write(self, histories: list[History]) -> Writing:
        """Import hourly candles, and refresh what they invalidate."""
        return Writing(await self.write_hours(histories), await self.refresh())

    async def write_hours(self, histories: list[History]) -> float:
        """Import hourly candles, and no longer ones; return the seconds."""
        with patch.object(writer, "AGGREGATED", ()):
            return await timed_imports(self.database, histories)

    async def refresh(self) -> float:
        """Refresh all three; return the seconds."""
        async with self.database.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            began = time.perf_counter()
            for relation in self.relations:
                await connection.execute(f"CALL refresh_continuous_aggregate('{relation}', NULL, NULL)")
            return time.perf_counter() - began

    async def compress(self) -> None:
        """Compress all chunks, those of the aggregates by crypto as the tables' are."""
        await super().compress()
        async with self.database.connection() as connection:
            await connection.execute("SET statement_timeout = 0")
            for relation in self.relations:
                await connection.execute(
                    f"ALTER MATERIALIZED VIEW {relation} SET (timescaledb.enable_columnstore, "
                    "timescaledb.segmentby = 'crypto_id', timescaledb.orderby = 'ts')"
                )
                for (chunk,) in await connection.fetch(f"SELECT show_chunks('{relation}')::text"):
                    await connection.execute(f"CALL convert_to_columnstore('{chunk}')")
                    await connection.execute(f"VACUUM FULL {chunk}")

    async def set_real_time(self, is_real_time: bool) -> None:
        """Set whether queries aggregate the hours that are newer than the last refresh."""
        async with self.database.connection() as connection:
            for relation in self.relations:
                await connection.execute(
                    f"ALTER MATERIALIZED VIEW {relation} "
                    f"SET (timescaledb.materialized_only = {str(not is_real_time).lower()})"
                )

    @asynccontextmanager
    async def refreshed_every(self, seconds: int) -> AsyncGenerator[None]:
        """Have TimescaleDB refresh the aggregates by policies, for as long as the context lasts."""
        async with self.database.connection() as connection:
            for relation in self.relations:
                await connection.execute(
                    f"SELECT add_continuous_aggregate_policy('{relation}', NULL, NULL, "
                    f"schedule_interval => INTERVAL '{seconds} s')"
                )
        yield
        async with self.database.connection() as connection:
            for relation in self.relations:
                await connection.execute(f"SELECT remove_continuous_aggregate_policy('{relation}')")


@asynccontextmanager
async def open_database(server: TimescaleServer, name: str) -> AsyncGenerator[Database]:
    """Create a database with Backcast's schema, and connect to it."""
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    async with Database.connect(server.url.replace("/postgres?", f"/{name}?"), 4) as database:
        await migrate(database)
        yield database
