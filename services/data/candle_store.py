"""Reads candles from the database, and writes them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.data.copy_format import HEADER, TRAILER, decode_candles, encode_rows
from services.data.database import Database
from services.shared.candles import Candles
from services.shared.errors import InvalidInput, Refused
from services.shared.interval import Interval

if TYPE_CHECKING:
    from services.data.database import Connection

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
        copied = bytearray()

        async def collect(chunk: bytes) -> None:
            copied.extend(chunk)

        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            fingerprint = await connection.fetchval(
                "SELECT fingerprint::text FROM cryptos WHERE crypto_id = $1", crypto_id
            )
            await connection.copy_from_query(
                f"SELECT ts, open, high, low, close, volume FROM {_TABLES[interval]} "
                "WHERE crypto_id = $1 ORDER BY ts",
                crypto_id,
                output=collect,
                format="binary",
            )
        return History(fingerprint, decode_candles(copied))

    async def write(self, symbol: str, synthetic: bool, blocks: AsyncIterator[Candles]) -> ImportCounts:
        """Write hourly candles of one crypto in one transaction: all blocks, or nothing.

        The blocks follow each other in time. Candles that differ from stored ones replace them.
        Raises Refused where market candles would be mixed with synthetic ones.
        """
        async with self._database.connection() as connection, connection.transaction():
            crypto_id = await _lock_crypto(connection, symbol, synthetic)
            staged = await _stage(connection, blocks)
            if staged == 0:
                raise InvalidInput.of("columns", "an import needs at least one candle")
            # xmax is 0 in a row that was inserted, and not in one that was updated.
            inserted, corrected = await connection.fetchrow(
                """
                WITH written AS (
                    INSERT INTO candles_1h AS stored (crypto_id, ts, open, high, low, close, volume)
                    SELECT $1, ts, open, high, low, close, volume FROM staged_candles ORDER BY ts
                    ON CONFLICT (crypto_id, ts) DO UPDATE
                    SET open = excluded.open, high = excluded.high, low = excluded.low,
                        close = excluded.close, volume = excluded.volume
                    WHERE (stored.open, stored.high, stored.low, stored.close, stored.volume)
                        IS DISTINCT FROM
                        (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
                    RETURNING xmax = 0 AS inserted
                )
                SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM written
                """,
                crypto_id,
            )  # type: ignore[misc]  # an aggregate always returns its row
            if inserted or corrected:
                await connection.execute(
                    """
                    UPDATE cryptos
                    SET candle_count = candle_count + $2,
                        first_ts = least(first_ts, staged.earliest),
                        last_ts = greatest(last_ts, staged.latest),
                        fingerprint = gen_random_uuid()
                    FROM (SELECT min(ts) AS earliest, max(ts) AS latest FROM staged_candles) AS staged
                    WHERE crypto_id = $1
                    """,
                    crypto_id,
                    inserted,
                )
        return ImportCounts(inserted, corrected, staged - inserted - corrected)


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


async def _stage(connection: "Connection", blocks: AsyncIterator[Candles]) -> int:
    """Copy the blocks into the connection's temporary table; return how many candles they are."""
    await connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS staged_candles (
            ts timestamptz, open float8, high float8, low float8, close float8, volume float8
        ) ON COMMIT DELETE ROWS
        """
    )
    count = 0

    async def copied() -> AsyncIterator[bytes]:
        nonlocal count
        yield HEADER
        async for block in blocks:
            count += len(block)
            yield encode_rows(block)
        yield TRAILER

    await connection.copy_to_table("staged_candles", source=copied(), format="binary")
    return count
