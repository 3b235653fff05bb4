"""The record of the last run of each maintenance task.

Apart from `stats`, which shows these records, as `stats` imports the tasks.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.data.store.database import Connection


async def record_task(connection: "Connection", task: str, outcome: str) -> None:
    """Record that a task has ended now, for `backcast db stats`."""
    await connection.execute(
        "INSERT INTO maintenance (task, ended_at, outcome) VALUES ($1, now(), $2) "
        "ON CONFLICT (task) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome",
        task,
        outcome,
    )
