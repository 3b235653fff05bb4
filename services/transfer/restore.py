"""Restores a dump into a database, crypto by crypto."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import stamina

from backcast_engine.breaks import Break
from backcast_engine.candles import VALUE_COLUMNS, open_close_candles
from backcast_engine.interval import Interval
from services.data.store.breaks import BreakTable, StoredBreak
from services.data.store.database import ATTEMPTS, Contended, Database
from services.data.store.packed_hours import PackedHours
from services.data.store.tables import CANDLE_TABLES, CandleTable, Scales
from services.domain.ticks import from_ticks
from services.transfer.dump_files import Columns, check_file, column_names, read_file
from services.transfer.manifest import DumpedCrypto, Manifest
from services.transfer.overlapping import overlapping

if TYPE_CHECKING:
    from services.data.store.database import Connection

# Cryptos in progress at once: the next ones are read while others are written.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class RestoredCrypto:
    """The outcome for one crypto of the dump.

    `was_there` is true if the same candles were stored already. `refusal` is why nothing was written: other
    candles are stored, and stay.
    """

    crypto: DumpedCrypto
    was_there: bool
    refusal: str | None


def check_files(folder: Path, manifest: Manifest) -> Iterator[DumpedCrypto]:
    """Yield each crypto after checking its files; raise InvalidInput if they are not as they were dumped."""
    for crypto in manifest.cryptos:
        for interval in _intervals(crypto):
            check_file(folder, crypto, interval)
        yield crypto


def restore(database: Database, folder: Path, manifest: Manifest) -> AsyncGenerator[RestoredCrypto]:
    """Write each crypto in one transaction; a crypto stored with other candles is left unchanged."""

    async def works() -> AsyncIterator[Coroutine[Any, Any, RestoredCrypto]]:
        for crypto in manifest.cryptos:
            yield _restore(database, crypto, await asyncio.to_thread(_read, folder, crypto))

    return overlapping(works(), _AT_ONCE)


def _intervals(crypto: DumpedCrypto) -> list[Interval]:
    return [interval for interval in CANDLE_TABLES if interval.value in crypto.files]


def _read(folder: Path, crypto: DumpedCrypto) -> dict[Interval, Columns]:
    return {interval: read_file(folder, crypto, interval) for interval in CANDLE_TABLES}


# TimescaleDB locks the chunks that it compresses, in another order.
@stamina.retry(on=Contended, attempts=ATTEMPTS)
async def _restore(
    database: Database, crypto: DumpedCrypto, candles: dict[Interval, Columns]
) -> RestoredCrypto:
    async with database.connection() as connection, connection.transaction():
        return await _restore_locked(connection, crypto, candles)


async def _restore_locked(
    connection: "Connection", crypto: DumpedCrypto, candles: dict[Interval, Columns]
) -> RestoredCrypto:
    """Write the crypto if it is new, otherwise compare it, with its row locked."""
    is_new = await connection.fetchval(
        "INSERT INTO cryptos (symbol, synthetic, breaks_found) VALUES ($1, $2, true) "
        "ON CONFLICT (symbol) DO NOTHING RETURNING true",
        crypto.symbol,
        crypto.synthetic,
    )
    row = await connection.fetchrow(
        "SELECT crypto_id, synthetic, price_scale, volume_scale FROM cryptos WHERE symbol = $1 FOR UPDATE",
        crypto.symbol,
    )
    if row is None:
        raise Contended(f"{crypto.symbol} was deleted meanwhile: try again")
    crypto_id, synthetic, *scales = row
    tables = {interval: CandleTable(connection, crypto_id, interval) for interval in CANDLE_TABLES}
    if not is_new:
        refusal = await _refusal(tables, Scales(*scales), synthetic, crypto, candles)
        return RestoredCrypto(crypto, refusal is None, refusal)
    for interval in _intervals(crypto):
        await tables[interval].insert_ticks(candles[interval])
    packed = await PackedHours.of(connection, crypto_id)
    if packed and crypto.candle_count:
        await packed.put(candles[Interval.HOUR_1])
    await _put_breaks(BreakTable(connection, crypto_id), crypto, candles[Interval.HOUR_1])
    await _note(connection, crypto_id, crypto, is_packed=packed is not None)
    return RestoredCrypto(crypto, was_there=False, refusal=None)


async def _refusal(
    tables: dict[Interval, CandleTable],
    scales: Scales,
    synthetic: bool,
    crypto: DumpedCrypto,
    candles: dict[Interval, Columns],
) -> str | None:
    """Return how the stored crypto differs from the dumped one; None if they are equal."""
    if synthetic != crypto.synthetic:
        kinds = ("market", "synthetic")
        return f"it has {kinds[synthetic]} candles here, and {kinds[crypto.synthetic]} ones in the dump"
    for interval, dumped in candles.items():
        names = column_names(interval)
        stored = dict(zip(names, await tables[interval].ticks(names), strict=True))
        if not _equal(stored, scales, dumped, Scales(crypto.price_scale, crypto.volume_scale)):
            return (
                f"it has other {interval.value} candles here: "
                f"{len(stored['ts']):,} here, {len(dumped['ts']):,} in the dump"
            )
    return None


def _equal(stored: Columns, stored_scales: Scales, dumped: Columns, dumped_scales: Scales) -> bool:
    """Return whether the candles are the same numbers, whatever their scales."""
    return all(
        np.array_equal(
            from_ticks(stored[name], stored_scales.of(name)), from_ticks(dumped[name], dumped_scales.of(name))
        )
        if name in VALUE_COLUMNS
        else np.array_equal(stored[name], dumped[name])
        for name in stored
    )


async def _put_breaks(table: BreakTable, crypto: DumpedCrypto, hourly: Columns) -> None:
    """Write the breaks of the dump; detect them if the dump has none."""
    if crypto.breaks is not None:
        await table.put(
            StoredBreak(Break(each.before_s, each.after_s, each.close, each.open), each.state)
            for each in crypto.breaks
        )
        return
    values = (from_ticks(hourly[name], crypto.price_scale) for name in ("open", "close"))
    await table.find(open_close_candles(hourly["ts"], *values))


async def _note(connection: "Connection", crypto_id: int, crypto: DumpedCrypto, *, is_packed: bool) -> None:
    """Write the crypto's row, with a new fingerprint: no reader has these candles."""
    await connection.execute(
        """
        WITH noted AS (
            UPDATE cryptos
            SET candle_count = $2, first_ts = to_timestamp($3), last_ts = to_timestamp($4),
                price_scale = $5, volume_scale = $6, packed_fingerprint = CASE WHEN $7 THEN fingerprint END,
                source = $8, asked_hours = $9::text::tstzmultirange
            WHERE crypto_id = $1
            RETURNING fingerprint
        )
        INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
        SELECT $1, fingerprint, '-infinity' FROM noted
        """,
        crypto_id,
        crypto.candle_count,
        crypto.first_s,
        crypto.last_s,
        crypto.price_scale,
        crypto.volume_scale,
        is_packed,
        crypto.source,
        crypto.asked_hours,
    )
