"""Shared by the maintenance tasks: which server it is, and the record of their last run.

Apart from `stats`, which shows these records, as `stats` imports the tasks.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.data.store.database import Connection


async def has_timescale(connection: "Connection") -> bool:
    """Return whether the candles are in hypertables of TimescaleDB."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
    )


async def record_task(connection: "Connection", task: str, outcome: str) -> None:
    """Record that a task has ended now, for `backcast db stats`."""
    await connection.execute(
        "INSERT INTO maintenance (task, ended_at, outcome) VALUES ($1, now(), $2) "
        "ON CONFLICT (task) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome",
        task,
        outcome,
    )
