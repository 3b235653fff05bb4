"""Upgrade: moves candles that an older version stored as doubles into the tables of ticks."""

from typing import TYPE_CHECKING

import numpy as np
import structlog

from backcast_engine.candles import VALUE_COLUMNS, Candles
from services.data.store.copy_format import decode_rows
from services.data.store.database import Database
from services.data.store.writer import CandleStore

if TYPE_CHECKING:
    from services.data.store.database import Connection

_log = structlog.get_logger()

_OLD_TABLE = "candles_1h_doubles"


async def move_doubles(connection: "Connection", database: Database) -> None:
    """Move crypto by crypto, each in one repeatable step, and drop the old table at the end.

    `connection` reads, one of `database` writes.
    """
    if not await connection.fetchval(f"SELECT to_regclass('{_OLD_TABLE}') IS NOT NULL"):
        return
    store = CandleStore(database)
    cryptos = await connection.fetch("SELECT crypto_id, symbol, synthetic FROM cryptos ORDER BY symbol")
    for crypto_id, symbol, synthetic in cryptos:
        candles = await _read(connection, crypto_id)
        if not len(candles):
            continue
        # The import that writes the candles counts them again.
        await connection.execute(
            "UPDATE cryptos SET candle_count = "
            "(SELECT count(*) FROM candles_1h AS moved WHERE moved.crypto_id = $1) WHERE crypto_id = $1",
            crypto_id,
        )
        await store.write_candles(symbol, synthetic, candles)
        _log.info("candles moved", symbol=symbol, candles=len(candles))
    await connection.execute(f"DROP TABLE {_OLD_TABLE}")


async def _read(connection: "Connection", crypto_id: int) -> Candles:
    copied = bytearray()

    async def collect(chunk: bytes) -> None:
        copied.extend(chunk)

    await connection.copy_from_query(
        f"SELECT ts, {', '.join(VALUE_COLUMNS)} FROM {_OLD_TABLE} "
        f"WHERE crypto_id = {crypto_id:d} ORDER BY ts",
        output=collect,
        format="binary",
    )
    # A double and a bigint have the same size in a row.
    open_time_s, columns = decode_rows(copied, ("ts", *VALUE_COLUMNS))
    return Candles(open_time_s, *(column.view(np.float64) for column in columns))
