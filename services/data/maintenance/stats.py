"""Statistics: tables and sizes, savings of compression, freshness of aggregates, maintenance tasks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backcast_engine.interval import Interval
from services.data.maintenance.columnstore import HYPERTABLES
from services.data.store.database import Database, has_timescale
from services.data.store.tables import CANDLE_TABLES

if TYPE_CHECKING:
    from services.data.store.database import Connection


@dataclass(frozen=True, slots=True)
class TableStats:
    """One table of candles; sizes are in bytes, including indexes.

    `rows` is exact; `compressed_bytes` is the size of the compressed chunks, `plain_bytes` that of all
    others. `before_bytes` is the size that the rows of the compressed chunks would have as plain rows with
    index, estimated by the size of a row when these chunks were compressed.
    """

    table: str
    interval: str
    rows: int
    chunks: int
    compressed_chunks: int
    before_bytes: int
    compressed_bytes: int
    plain_bytes: int

    @property
    def saved(self) -> float | None:
        """The fraction that compression saves of the compressed chunks; None if none is compressed."""
        return 1 - self.compressed_bytes / self.before_bytes if self.before_bytes else None


@dataclass(frozen=True, slots=True)
class AggregateStats:
    """Freshness of longer candles; they are written with the hourly ones, so `behind` should be 0.

    `behind` is the number of cryptos without a longer candle that contains their newest hourly candle.
    """

    interval: str
    candles: int
    newest: datetime | None
    behind: int


@dataclass(frozen=True, slots=True)
class PolicyStats:
    """A policy of TimescaleDB; `last_run` and `succeeded` are None before its first run."""

    policy: str
    table: str
    after: str | None
    every: timedelta
    last_run: datetime | None
    succeeded: bool | None
    next_run: datetime | None


@dataclass(frozen=True, slots=True)
class TaskStats:
    """A maintenance task of Backcast: when it last ended, and its outcome."""

    task: str
    ended_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """Statistics of the database at one moment; `first` and `last` are opening times of hourly candles.

    `timescale` is the version of TimescaleDB, None on plain PostgreSQL. The hourly candles of
    `packed_cryptos` are also stored in packed blocks; `packed_bytes` is their size including their index.
    """

    server: str
    timescale: str | None
    cryptos: int
    packed_cryptos: int
    packed_bytes: int
    candles: int
    first: datetime | None
    last: datetime | None
    tables: list[TableStats]
    aggregates: list[AggregateStats]
    policies: list[PolicyStats]
    tasks: list[TaskStats]


async def read_stats(database: Database) -> DatabaseStats:
    """Read all statistics at one moment; rows are counted, which takes seconds for many millions."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0")
        timescale = await connection.fetchval(
            "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
        )
        market = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE candle_count > 0) AS cryptos, "
            "count(*) FILTER (WHERE candle_count > 0 AND is_packed) AS packed_cryptos, "
            "pg_total_relation_size('packed_hours') AS packed_bytes, "
            "coalesce(sum(candle_count), 0)::bigint AS candles, min(first_ts) AS first, max(last_ts) AS last "
            "FROM cryptos"
        )
        assert market is not None  # an aggregate always has a row
        tables = [await _table(connection, interval) for interval in CANDLE_TABLES]
        return DatabaseStats(
            server=await connection.fetchval("SHOW server_version"),
            timescale=timescale,
            **market,
            tables=tables,
            aggregates=[
                await _aggregate(connection, interval, table.rows)
                for interval, table in zip(CANDLE_TABLES, tables, strict=True)
                if interval is not Interval.HOUR_1
            ],
            policies=[PolicyStats(**row) for row in await connection.fetch(_POLICIES)] if timescale else [],
            tasks=[
                TaskStats(**row)
                for row in await connection.fetch(
                    "SELECT task, ended_at, outcome FROM maintenance ORDER BY task"
                )
            ],
        )


async def _table(connection: "Connection", interval: Interval) -> TableStats:
    table = CANDLE_TABLES[interval]
    if table in HYPERTABLES and await has_timescale(connection):
        row = await connection.fetchrow(_HYPERTABLE.format(table=table))
    else:
        row = await connection.fetchrow(
            "SELECT count(*) AS rows, 0 AS chunks, 0 AS compressed_chunks, 0 AS before_bytes, "
            f"0 AS compressed_bytes, pg_total_relation_size('{table}') AS plain_bytes FROM {table}"
        )
    assert row is not None
    return TableStats(table, interval.value, **row)


async def _aggregate(connection: "Connection", interval: Interval, candles: int) -> AggregateStats:
    row = await connection.fetchrow(
        f"""
        SELECT max(newest.ts) AS newest,
            count(*) FILTER (WHERE last_ts - newest.ts < INTERVAL '{interval.seconds} s') AS up_to_date,
            count(last_ts) AS expected
        FROM cryptos LEFT JOIN LATERAL (
            SELECT ts FROM {CANDLE_TABLES[interval]} AS longer
            WHERE longer.crypto_id = cryptos.crypto_id ORDER BY ts DESC LIMIT 1
        ) AS newest ON true
        """
    )
    assert row is not None
    return AggregateStats(interval.value, candles, row["newest"], row["expected"] - row["up_to_date"])


# TimescaleDB measures a chunk when it is first compressed, and not again when it gets more rows. So the sizes
# are measured here, and the size before compression is estimated by the bytes per row at that time.
_HYPERTABLE = """
SELECT coalesce(sum(counted.rows), 0)::bigint AS rows,
    count(size.chunk_name) AS chunks,
    count(*) FILTER (WHERE is_compressed) AS compressed_chunks,
    coalesce(sum(counted.rows) FILTER (WHERE is_compressed)
        * sum(before.total_bytes) / nullif(sum(before.rows), 0), 0)::bigint AS before_bytes,
    coalesce(sum(size.total_bytes) FILTER (WHERE is_compressed), 0)::bigint AS compressed_bytes,
    (pg_total_relation_size('{table}')
        + coalesce(sum(size.total_bytes) FILTER (WHERE NOT is_compressed), 0))::bigint AS plain_bytes
FROM chunks_detailed_size('{table}') AS size
JOIN timescaledb_information.chunks USING (chunk_schema, chunk_name)
CROSS JOIN LATERAL (
    SELECT format('%I.%I', chunk_schema, chunk_name)::regclass::oid
) AS chunk (oid)
LEFT JOIN (SELECT tableoid, count(*) AS rows FROM {table} GROUP BY 1) AS counted ON tableoid = chunk.oid
LEFT JOIN (
    SELECT relid::oid AS oid, numrows_pre_compression AS rows,
        uncompressed_heap_size + uncompressed_toast_size + uncompressed_index_size AS total_bytes
    FROM _timescaledb_catalog.compression_chunk_size JOIN _timescaledb_catalog.chunk ON id = chunk_id
) AS before ON before.oid = chunk.oid
"""

_POLICIES = """
SELECT CASE WHEN proc_name IN ('policy_compression', 'policy_columnstore') THEN 'compression'
        ELSE proc_name END AS policy,
    jobs.hypertable_name AS table,
    config->>'compress_after' AS after,
    schedule_interval AS every,
    CASE WHEN total_runs > 0 THEN last_run_started_at END AS last_run,
    CASE WHEN total_runs > 0 THEN last_run_status = 'Success' END AS succeeded,
    nullif(job_stats.next_start, '-infinity') AS next_run
FROM timescaledb_information.jobs LEFT JOIN timescaledb_information.job_stats USING (job_id)
WHERE jobs.hypertable_name LIKE 'candles_%'
ORDER BY 1, jobs.job_id
"""
