"""Recorded changes of a crypto's candles, by which readers fetch only what is new."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.data.store.database import Connection


async def record_change(connection: "Connection", crypto_id: int, changed_from_s: int) -> None:
    """Give a crypto a new fingerprint, and record the time from which on it changed (Unix seconds)."""
    await connection.execute(
        """
        WITH noted AS (
            UPDATE cryptos SET fingerprint = gen_random_uuid() WHERE crypto_id = $1 RETURNING fingerprint
        )
        INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
        SELECT $1, fingerprint, to_timestamp($2) FROM noted
        """,
        crypto_id,
        changed_from_s,
    )
