"""Migrates candles from a table of another database, and verifies them afterwards."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from backcast_engine.candles import Candles
from backcast_engine.errors import Refused
from backcast_engine.interval import Interval
from services.data.store.database import Database
from services.data.store.tables import CandleTable, Scales
from services.data.store.writer import CandleStore
from services.domain.conflict_rule import ConflictRule
from services.transfer.overlapping import overlapping
from services.transfer.row_filter import FilteredRows, filter_rows
from services.transfer.source import Source, SourceCrypto
from services.transfer.verification import HistoryDifference, find_difference

# Cryptos in progress at once: the next ones are read while others are written.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class MigratedCrypto:
    """The outcome for one crypto.

    `inserted` candles are new, `unchanged` ones were stored already. `refusal` is why nothing was written, if
    the candles contradict the stored ones.
    """

    symbol: str
    filtered: FilteredRows
    inserted: int
    unchanged: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class VerifiedCrypto:
    """The number of compared candles of a crypto, and their difference; None if they are equal."""

    symbol: str
    candles: int
    difference: HistoryDifference | None


def move(
    source: Source, cryptos: list[SourceCrypto], database: Database, now_s: int
) -> AsyncGenerator[MigratedCrypto]:
    """Write each crypto's candles in one transaction; candles that are stored already are only compared.

    Only candles that are closed at `now_s` (Unix seconds) are taken. A crypto with other stored values stays.
    """
    store = CandleStore(database)

    async def works() -> AsyncIterator[Coroutine[Any, Any, MigratedCrypto]]:
        for crypto in cryptos:
            yield _write(store, crypto.symbol, await _filtered(source, crypto, now_s))

    return overlapping(works(), _AT_ONCE)


def verify(
    source: Source, cryptos: list[SourceCrypto], database: Database, now_s: int
) -> AsyncGenerator[VerifiedCrypto]:
    """Read source and database again, and compare them."""

    async def works() -> AsyncIterator[Coroutine[Any, Any, VerifiedCrypto]]:
        for crypto in cryptos:
            yield _compare(database, crypto.symbol, (await _filtered(source, crypto, now_s)).candles)

    return overlapping(works(), _AT_ONCE)


async def _filtered(source: Source, crypto: SourceCrypto, now_s: int) -> FilteredRows:
    return await asyncio.to_thread(filter_rows, await source.rows(crypto), now_s)


async def _write(store: CandleStore, symbol: str, filtered: FilteredRows) -> MigratedCrypto:
    if not len(filtered.candles):
        return MigratedCrypto(symbol, filtered, 0, 0, None)
    try:
        counts = await store.write_candles(symbol, False, filtered.candles, ConflictRule.FAIL)
    except Refused as refusal:
        return MigratedCrypto(symbol, filtered, 0, 0, str(refusal))
    return MigratedCrypto(symbol, filtered, counts.inserted, counts.unchanged, None)


async def _compare(database: Database, symbol: str, candles: Candles) -> VerifiedCrypto:
    here = await _stored(database, symbol)
    difference = await asyncio.to_thread(find_difference, symbol, candles, here)
    return VerifiedCrypto(symbol, len(candles), difference)


async def _stored(database: Database, symbol: str) -> Candles:
    """Return the stored candles of a symbol; none if there is no such crypto."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        crypto = await connection.fetchrow(
            "SELECT crypto_id, price_scale, volume_scale FROM cryptos WHERE symbol = $1", symbol
        )
        if crypto is None:
            return Candles.empty()
        crypto_id, *scales = crypto
        return await CandleTable(connection, crypto_id, Interval.HOUR_1).candles(Scales(*scales))
