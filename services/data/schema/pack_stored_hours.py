"""Upgrade: packs the hourly candles that an older version stored."""

from typing import TYPE_CHECKING

import structlog

from services.data.store.database import has_timescale
from services.data.store.packed_hours import PackedHours

if TYPE_CHECKING:
    from services.data.store.database import Connection

_log = structlog.get_logger()


async def pack_stored_hours(connection: "Connection") -> None:
    """Pack crypto by crypto, each in one transaction; cryptos that are packed are not read again.

    On TimescaleDB, nothing is packed.
    """
    if await has_timescale(connection):
        return
    waiting = await connection.fetch(
        "SELECT crypto_id, symbol FROM cryptos WHERE candle_count > 0 AND NOT is_packed ORDER BY symbol"
    )
    for number, (crypto_id, symbol) in enumerate(waiting, 1):
        async with connection.transaction():
            # The table before the row, in the same order as imports: otherwise they could deadlock.
            await connection.execute("LOCK TABLE cryptos IN ROW EXCLUSIVE MODE")
            if await connection.fetchval("SELECT 1 FROM cryptos WHERE crypto_id = $1 FOR UPDATE", crypto_id):
                await PackedHours(connection, crypto_id).pack()
                await connection.execute(
                    "UPDATE cryptos SET packed_fingerprint = fingerprint WHERE crypto_id = $1", crypto_id
                )
        _log.info("candles packed", symbol=symbol, number=number, of=len(waiting))
