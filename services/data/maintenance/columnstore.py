"""Compression of old chunks, on TimescaleDB only."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backcast_engine.errors import Refused
from services.data.maintenance.task import record_task
from services.data.store.database import Database, has_timescale

if TYPE_CHECKING:
    from services.data.store.database import Connection

TASK = "compression"

HYPERTABLES = ("candles_1h", "candles_4h", "candles_1d")


@dataclass(frozen=True, slots=True)
class CompressedChunk:
    """A compressed chunk: its table, and its number `number` of `total` in this compression."""

    table: str
    number: int
    total: int


async def ensure_policies(database: Database, after_days: int) -> None:
    """Set TimescaleDB's policies to compress chunks that ended `after_days` ago."""
    async with database.connection() as connection:
        if not await has_timescale(connection):
            return
        for table in HYPERTABLES:
            days = await connection.fetchval(
                "SELECT extract(day FROM (config->>'compress_after')::interval)::integer "
                "FROM timescaledb_information.jobs "
                "WHERE hypertable_name = $1 AND proc_name IN ('policy_compression', 'policy_columnstore')",
                table,
            )
            if days != after_days:
                async with connection.transaction():
                    await connection.execute(f"CALL remove_columnstore_policy('{table}', if_exists => true)")
                    await connection.execute(
                        f"CALL add_columnstore_policy('{table}', after => INTERVAL '{after_days:d} days')"
                    )


async def compress(database: Database, after_days: int) -> AsyncGenerator[CompressedChunk]:
    """Compress chunks that ended `after_days` ago and are not compressed or got rows since; yield each.

    Raises Refused if the server is not TimescaleDB.
    """
    async with database.session() as connection:
        if not await has_timescale(connection):
            raise Refused("the database is plain PostgreSQL: only TimescaleDB compresses candles")
        chunks = [
            (table, chunk, is_partial)
            for table in HYPERTABLES
            for chunk, is_partial in await _waiting_chunks(connection, table, after_days)
        ]
        for number, (table, chunk, is_partial) in enumerate(chunks, 1):
            # Each chunk in a transaction of its own, so that readers and imports go on in between.
            await connection.execute(f"CALL convert_to_columnstore('{chunk}', if_not_columnstore => true)")
            if is_partial:
                # Frees the space of the moved rows. Few rows are left, so the lock is short.
                await connection.execute(f"VACUUM FULL {chunk}")
            yield CompressedChunk(table, number, len(chunks))
        await record_task(connection, TASK, f"compressed {len(chunks):,} chunks")


async def _waiting_chunks(connection: "Connection", table: str, after_days: int) -> list[tuple[str, bool]]:
    """Return the chunks to compress, and whether each was compressed before and got rows since."""
    # Bit 8 of a chunk's status: rows were added or removed since it was compressed.
    rows = await connection.fetch(
        """
        SELECT chunk, is_compressed
        FROM timescaledb_information.chunks,
            format('%I.%I', chunk_schema, chunk_name) AS chunk
        WHERE hypertable_name = $1 AND range_end < now() - make_interval(days => $2)
            AND (NOT is_compressed OR _timescaledb_functions.chunk_status(chunk::regclass) & 8 <> 0)
        ORDER BY range_start
        """,
        table,
        after_days,
    )
    return [(row["chunk"], row["is_compressed"]) for row in rows]
