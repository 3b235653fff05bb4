"""Retention: drops old hourly candles, and forgets old changes of candles.

Longer candles that were aggregated from dropped hours stay.
"""

from typing import TYPE_CHECKING

import stamina

from services.data.maintenance.task import record_task
from services.data.store.database import ATTEMPTS, Contended, Database, has_timescale

if TYPE_CHECKING:
    from services.data.store.database import Connection

TASK = "retention"

# Retention drops whole spans of 365 days, counted from 1970. These are the hypertable's chunks, so dropping
# is fast, and plain PostgreSQL drops the same candles.
_CHUNK_S = 365 * 86_400
# Changes are kept as long as a reader may have an older state of the data; a reader with an even older state
# fetches everything. Changes are deleted from a crypto's first one on, never its last one, whatever the clock
# did meanwhile: all changes after a kept one must be kept too.
_FORGET_CHANGES = """
DELETE FROM candle_changes AS change
USING (
    SELECT crypto_id, min(change_id) AS change_id
    FROM candle_changes AS noted JOIN cryptos USING (crypto_id)
    WHERE changed_at >= now() - INTERVAL '90 days' OR noted.fingerprint = cryptos.fingerprint
    GROUP BY crypto_id
) AS first_kept
WHERE change.crypto_id = first_kept.crypto_id AND change.change_id < first_kept.change_id
"""


@stamina.retry(on=Contended, attempts=ATTEMPTS)
async def apply_retention(database: Database, retention_days: int, now_s: int) -> int:
    """Drop hourly candles that are older than `retention_days` by whole chunks; return how many.

    0 days drop no candle. Changes that no reader needs any more are forgotten in any case. All of it is one
    transaction.
    """
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        # Imports wait until this is done, because they rely on the candles that they have read.
        await connection.execute("LOCK TABLE cryptos IN SHARE ROW EXCLUSIVE MODE")
        dropped = 0
        if retention_days:
            horizon_s = (now_s - retention_days * 86_400) // _CHUNK_S * _CHUNK_S
            dropped = await _dropped(connection, horizon_s)
        await connection.execute(_FORGET_CHANGES)
        await record_task(connection, TASK, f"dropped {dropped:,} hourly candles")
    return dropped


async def _dropped(connection: "Connection", horizon_s: int) -> int:
    """Drop the candles before the horizon; return how many."""
    dropped = await connection.fetchval(
        """
        WITH old AS (
            SELECT crypto_id, count(*) AS candles, gen_random_uuid() AS fingerprint
            FROM candles_1h WHERE ts < to_timestamp($1) GROUP BY crypto_id
        ), changed AS (
            UPDATE cryptos
            SET candle_count = candle_count - old.candles,
                first_ts = (
                    SELECT ts FROM candles_1h AS first
                    WHERE first.crypto_id = cryptos.crypto_id AND ts >= to_timestamp($1)
                    ORDER BY ts LIMIT 1
                ),
                last_ts = CASE WHEN last_ts >= to_timestamp($1) THEN last_ts END,
                fingerprint = old.fingerprint,
                packed_fingerprint = CASE WHEN is_packed THEN old.fingerprint END
            FROM old WHERE cryptos.crypto_id = old.crypto_id
            RETURNING cryptos.crypto_id, old.fingerprint, old.candles
        ), logged AS (
            INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
            SELECT crypto_id, fingerprint, '-infinity' FROM changed
        )
        SELECT coalesce(sum(candles), 0)::bigint FROM changed
        """,
        horizon_s,
    )
    if dropped:
        await connection.execute("DELETE FROM packed_hours WHERE ts < to_timestamp($1)", horizon_s)
    if dropped and await has_timescale(connection):
        await connection.execute(
            "SELECT drop_chunks('candles_1h', older_than => to_timestamp($1))", horizon_s
        )
    elif dropped:
        await connection.execute("DELETE FROM candles_1h WHERE ts < to_timestamp($1)", horizon_s)
    return int(dropped)
