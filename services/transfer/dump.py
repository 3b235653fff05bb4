"""Dumps a snapshot of all candles to a folder."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.data.store.breaks import BreakTable
from services.data.store.database import Database
from services.data.store.tables import CANDLE_TABLES, CandleTable
from services.transfer.dump_files import Columns, column_names, write_file
from services.transfer.manifest import DumpedCrypto, DumpedFile, Manifest, write_manifest
from services.transfer.overlapping import overlapping

if TYPE_CHECKING:
    import asyncpg

    from services.data.store.database import Connection

# Cryptos in progress at once: the next ones are read while files are compressed and written.
_AT_ONCE = 3


async def dump(database: Database, folder: Path) -> AsyncGenerator[tuple[DumpedCrypto, int]]:
    """Write everything to a new folder; yield each crypto with the number of all hourly candles.

    The manifest is written last. Raises InvalidInput if the folder is not empty or cannot be written.
    """
    _make(folder)
    dumped = []
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0")
        rows = await connection.fetch(
            "SELECT crypto_id, symbol, synthetic, candle_count, price_scale, volume_scale, "
            "extract(epoch FROM first_ts)::bigint AS first_s, extract(epoch FROM last_ts)::bigint AS last_s, "
            "source, asked_hours::text "
            "FROM cryptos ORDER BY symbol"
        )
        total = sum(row["candle_count"] for row in rows)
        async with aclosing(overlapping(_works(connection, rows, folder), _AT_ONCE)) as cryptos:
            async for crypto in cryptos:
                dumped.append(crypto)
                yield crypto, total
    try:
        write_manifest(folder, Manifest(cryptos=dumped))
    except OSError as error:
        raise InvalidInput.of("FOLDER", f"{folder} cannot be written: {error.strerror}") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(folder.iterdir())
        for interval in CANDLE_TABLES if is_new else ():
            # Fails if another dump to this folder began at the same moment.
            (folder / interval.value).mkdir()
    except OSError as error:
        raise InvalidInput.of("FOLDER", f"{folder} cannot be created: {error.strerror}") from None
    if not is_new:
        raise InvalidInput.of("FOLDER", f"{folder} is not empty: a dump needs a new folder")


async def _works(
    connection: "Connection", rows: "list[asyncpg.Record]", folder: Path
) -> AsyncIterator[Coroutine[Any, Any, DumpedCrypto]]:
    """Read crypto by crypto; yield for each the coroutine that writes its files."""
    for row in rows:
        crypto = dict(row)
        crypto_id = crypto.pop("crypto_id")
        breaks = await BreakTable(connection, crypto_id).all()
        crypto["breaks"] = [{**asdict(each.place), "state": each.state} for each in breaks]
        candles = {}
        for interval in CANDLE_TABLES:
            names = column_names(interval)
            ticks = await CandleTable(connection, crypto_id, interval).ticks(names)
            candles[interval] = dict(zip(names, ticks, strict=True))
        yield asyncio.to_thread(_write, folder, crypto, candles)


def _write(folder: Path, crypto: dict[str, Any], candles: dict[Interval, Columns]) -> DumpedCrypto:
    files: dict[str, DumpedFile] = {
        interval.value: write_file(folder, crypto["symbol"], interval, columns)
        for interval, columns in candles.items()
        if len(columns["ts"])
    }
    return DumpedCrypto(**crypto, files=files)
