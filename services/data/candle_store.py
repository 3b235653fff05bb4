"""Reads candles from the database, and writes them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.data.copy_format import HEADER, TRAILER, decode_candles, encode_rows
from services.data.database import Database
from services.shared.candles import Candles
from services.shared.errors import InvalidInput, Refused
from services.shared.interval import Interval

if TYPE_CHECKING:
    from services.data.database import Connection

BoolColumn = NDArray[np.bool_]

_TABLES = {
    Interval.HOUR_1: "candles_1h",
    Interval.HOUR_4: "candles_4h",
    Interval.DAY_1: "candles_1d",
    Interval.WEEK_1: "candles_1w",
}


@dataclass(frozen=True, slots=True)
class History:
    """All candles of a crypto, and the fingerprint of the very data that they are."""

    fingerprint: str
    candles: Candles


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did: candles that are new, that have other values now, that were there already."""

    inserted: int
    corrected: int
    unchanged: int


class CandleStore:
    """The candles in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, crypto_id: int, interval: Interval) -> History:
        """Return all candles of a crypto, of one moment together with their fingerprint."""
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            fingerprint = await connection.fetchval(
                "SELECT fingerprint::text FROM cryptos WHERE crypto_id = $1", crypto_id
            )
            candles = await _read(
                connection,
                f"SELECT ts, open, high, low, close, volume FROM {_TABLES[interval]} "
                "WHERE crypto_id = $1 ORDER BY ts",
                crypto_id,
            )
        return History(fingerprint, candles)

    async def write(self, symbol: str, synthetic: bool, blocks: AsyncIterator[Candles]) -> ImportCounts:
        """Write hourly candles of one crypto in one transaction: all blocks, or nothing.

        The blocks follow each other in time. Candles that differ from stored ones replace them.
        Raises Refused where market candles would be mixed with synthetic ones.
        """
        # Before the transaction: a slow sender holds neither a connection nor a lock.
        candles = Candles.concatenate([block async for block in blocks])
        if not len(candles):
            raise InvalidInput.of("columns", "an import needs at least one candle")
        first_s, last_s = candles.open_time_s[[0, -1]].tolist()
        async with self._database.connection() as connection, connection.transaction():
            crypto_id = await _lock_crypto(connection, symbol, synthetic)
            stored = await _read(
                connection,
                "SELECT ts, open, high, low, close, volume FROM candles_1h "
                "WHERE crypto_id = $1 AND ts BETWEEN to_timestamp($2) AND to_timestamp($3) ORDER BY ts",
                crypto_id,
                first_s,
                last_s,
            )
            is_new, is_corrected = _changes(stored, candles)
            counts = ImportCounts(
                inserted=int(is_new.sum()),
                corrected=int(is_corrected.sum()),
                unchanged=int((~is_new & ~is_corrected).sum()),
            )
            # A COPY only adds rows, and is far faster than anything that also replaces them.
            if counts.corrected:
                await connection.execute(
                    "DELETE FROM candles_1h WHERE crypto_id = $1 "
                    "AND ts = ANY (ARRAY(SELECT to_timestamp(time_s) FROM unnest($2::bigint[]) AS time_s))",
                    crypto_id,
                    candles.open_time_s[is_corrected].tolist(),
                )
            if counts.inserted or counts.corrected:
                await _insert(connection, crypto_id, candles, is_new | is_corrected)
                await connection.execute(
                    """
                    UPDATE cryptos
                    SET candle_count = candle_count + $2,
                        first_ts = least(first_ts, to_timestamp($3)),
                        last_ts = greatest(last_ts, to_timestamp($4)),
                        fingerprint = gen_random_uuid()
                    WHERE crypto_id = $1
                    """,
                    crypto_id,
                    counts.inserted,
                    first_s,
                    last_s,
                )
        return counts


async def _lock_crypto(connection: "Connection", symbol: str, synthetic: bool) -> int:
    """Return the crypto's id, made where it is new, and let no other import of it in."""
    await connection.execute(
        "INSERT INTO cryptos (symbol, synthetic) VALUES ($1, $2) ON CONFLICT (symbol) DO NOTHING",
        symbol,
        synthetic,
    )
    crypto_id, is_synthetic = await connection.fetchrow(
        "SELECT crypto_id, synthetic FROM cryptos WHERE symbol = $1 FOR UPDATE", symbol
    )  # type: ignore[misc]  # it was inserted a line above
    if is_synthetic != synthetic:
        kinds = ("market", "synthetic")
        raise Refused(
            f"{symbol} has {kinds[is_synthetic]} candles: {kinds[synthetic]} ones cannot be mixed in"
        )
    return int(crypto_id)


async def _read(connection: "Connection", query: str, *arguments: object) -> Candles:
    copied = bytearray()

    async def collect(chunk: bytes) -> None:
        copied.extend(chunk)

    await connection.copy_from_query(query, *arguments, output=collect, format="binary")
    return decode_candles(copied)


async def _insert(connection: "Connection", crypto_id: int, candles: Candles, is_changed: BoolColumn) -> None:
    open_time_s, *prices = candles.columns()
    changed = Candles(open_time_s[is_changed], *(column[is_changed] for column in prices))

    async def copied() -> AsyncIterator[bytes]:
        yield HEADER
        yield encode_rows(crypto_id, changed)
        yield TRAILER

    await connection.copy_to_table("candles_1h", source=copied(), format="binary")


def _changes(stored: Candles, candles: Candles) -> tuple[BoolColumn, BoolColumn]:
    """Return which candles are not stored at all, and which are stored with other values."""
    _, there, place = np.intersect1d(
        candles.open_time_s, stored.open_time_s, assume_unique=True, return_indices=True
    )
    is_new = np.ones(len(candles), np.bool_)
    is_new[there] = False
    is_corrected = np.zeros(len(candles), np.bool_)
    for column, stored_column in zip(candles.columns(), stored.columns(), strict=True):
        is_corrected[there] |= column[there] != stored_column[place]
    return is_new, is_corrected
