"""Upgrade: finds the breaks in candles that an older version stored."""

from typing import TYPE_CHECKING

import structlog

from backcast_engine.candles import open_close_candles
from backcast_engine.interval import Interval
from services.data.store.breaks import BreakTable
from services.data.store.catalog import record_change
from services.data.store.tables import CandleTable, Scales

if TYPE_CHECKING:
    from services.data.store.database import Connection

_log = structlog.get_logger()


async def find_stored_breaks(connection: "Connection") -> None:
    """Find breaks crypto by crypto, each in one transaction; finished cryptos are not read again."""
    waiting = await connection.fetch(
        "SELECT crypto_id, symbol FROM cryptos WHERE NOT breaks_found ORDER BY symbol"
    )
    for crypto_id, symbol in waiting:
        async with connection.transaction():
            breaks = await _find(connection, crypto_id)
            await connection.execute("UPDATE cryptos SET breaks_found = true WHERE crypto_id = $1", crypto_id)
        if breaks:
            _log.info("breaks found", symbol=symbol, breaks=breaks)


async def _find(connection: "Connection", crypto_id: int) -> int:
    """Store the breaks of a crypto, and record the change for its readers; return the number of breaks."""
    # The table before the row, in the same order as imports: otherwise they could deadlock.
    await connection.execute("LOCK TABLE cryptos IN ROW EXCLUSIVE MODE")
    row = await connection.fetchrow(
        "SELECT price_scale, volume_scale, extract(epoch FROM last_ts)::bigint FROM cryptos "
        "WHERE crypto_id = $1 AND last_ts IS NOT NULL FOR UPDATE",
        crypto_id,
    )
    if row is None:
        return 0
    price_scale, volume_scale, last_s = row
    hourly = CandleTable(connection, crypto_id, Interval.HOUR_1)
    time_s, (open_, close) = await hourly.values(("open", "close"), Scales(price_scale, volume_scale))
    table = BreakTable(connection, crypto_id)
    await table.find(open_close_candles(time_s, open_, close))
    breaks = await table.all()
    # The older version served longer candles that had not ended yet: those of the last week.
    await record_change(
        connection,
        crypto_id,
        min([Interval.WEEK_1.opening(last_s), *(each.place.after_s for each in breaks)]),
    )
    return len(breaks)
