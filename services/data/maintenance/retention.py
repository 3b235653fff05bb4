"""Retention: drops hourly candles beyond the setting's age, and forgets old changes of candles.

The longer candles that dropped hours made stay.
"""

from typing import TYPE_CHECKING

import stamina

from services.data.maintenance.task import has_timescale, noted
from services.data.store.database import ATTEMPTS, Contended, Database

if TYPE_CHECKING:
    from services.data.store.database import Connection

TASK = "retention"

# Dropped are whole years of 365 days counted from 1970, which are the hypertable's chunks: so it costs
# nothing there, and plain PostgreSQL keeps and drops the very same candles.
_CHUNK_S = 365 * 86_400
# Changes stay noted while a reader may still have an older state of the data; later it fetches all of it.
# They are forgotten from a crypto's first one on, never its last one, whatever the clock did meanwhile: all
# that came after a change that is noted has to be noted as well.
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
        # Imports wait until this is done: they count on the candles that they have read.
        await connection.execute("LOCK TABLE cryptos IN SHARE ROW EXCLUSIVE MODE")
        dropped = 0
        if retention_days:
            horizon_s = (now_s - retention_days * 86_400) // _CHUNK_S * _CHUNK_S
            dropped = await _dropped(connection, horizon_s)
        await connection.execute(_FORGET_CHANGES)
        await noted(connection, TASK, f"dropped {dropped:,} hourly candles")
    return dropped


async def _dropped(connection: "Connection", horizon_s: int) -> int:
    """Drop the candles before the horizon; return how many."""
    dropped = await connection.fetchval(
        """
        WITH old AS (
            SELECT crypto_id, count(*) AS candles
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
                fingerprint = gen_random_uuid()
            FROM old WHERE cryptos.crypto_id = old.crypto_id
            RETURNING cryptos.crypto_id, fingerprint, old.candles
        ), logged AS (
            INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
            SELECT crypto_id, fingerprint, '-infinity' FROM changed
        )
        SELECT coalesce(sum(candles), 0)::bigint FROM changed
        """,
        horizon_s,
    )
    if dropped and await has_timescale(connection):
        await connection.execute(
            "SELECT drop_chunks('candles_1h', older_than => to_timestamp($1))", horizon_s
        )
    elif dropped:
        await connection.execute("DELETE FROM candles_1h WHERE ts < to_timestamp($1)", horizon_s)
    return int(dropped)
