"""Moves the candles of another table here, and looks afterwards whether they are equal."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from services.data.store.database import Database
from services.data.store.tables import CandleTable, Scales
from services.data.store.writer import CandleStore
from services.domain.candles import Candles
from services.domain.conflict_rule import ConflictRule
from services.domain.errors import Refused
from services.domain.interval import Interval
from services.transfer.overlapping import overlapping
from services.transfer.row_filter import SiftedRows, sift
from services.transfer.source import Source, SourceCrypto
from services.transfer.verification import Difference, find_difference

# While the candles of some are written, those of the next are read.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class MovedCrypto:
    """What became of one crypto's rows.

    `inserted` candles are new here, `unchanged` ones were here already. `refusal` tells why none was
    written, where they do not go together with what is here.
    """

    symbol: str
    sifted: SiftedRows
    inserted: int
    unchanged: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class VerifiedCrypto:
    """How many candles of a crypto were compared, and their difference, None where they are equal."""

    symbol: str
    candles: int
    difference: Difference | None


def move(
    source: Source, cryptos: list[SourceCrypto], database: Database, now_s: int
) -> AsyncGenerator[MovedCrypto]:
    """Write each crypto's candles in one transaction; one whose candles are here already costs a look.

    Only candles that are closed at `now_s` (Unix seconds) are taken. What is stored with other values stays.
    """
    store = CandleStore(database)

    async def works() -> AsyncIterator[Coroutine[Any, Any, MovedCrypto]]:
        for crypto in cryptos:
            yield _write(store, crypto.symbol, await _sifted(source, crypto, now_s))

    return overlapping(works(), _AT_ONCE)


def verify(
    source: Source, cryptos: list[SourceCrypto], database: Database, now_s: int
) -> AsyncGenerator[VerifiedCrypto]:
    """Read both sides again, and compare them."""

    async def works() -> AsyncIterator[Coroutine[Any, Any, VerifiedCrypto]]:
        for crypto in cryptos:
            yield _compare(database, crypto.symbol, (await _sifted(source, crypto, now_s)).candles)

    return overlapping(works(), _AT_ONCE)


async def _sifted(source: Source, crypto: SourceCrypto, now_s: int) -> SiftedRows:
    return await asyncio.to_thread(sift, await source.rows(crypto), now_s)


async def _write(store: CandleStore, symbol: str, sifted: SiftedRows) -> MovedCrypto:
    if not len(sifted.candles):
        return MovedCrypto(symbol, sifted, 0, 0, None)
    try:
        counts = await store.write_candles(symbol, False, sifted.candles, ConflictRule.FAIL)
    except Refused as refusal:
        return MovedCrypto(symbol, sifted, 0, 0, str(refusal))
    return MovedCrypto(symbol, sifted, counts.inserted, counts.unchanged, None)


async def _compare(database: Database, symbol: str, candles: Candles) -> VerifiedCrypto:
    here = await _stored(database, symbol)
    difference = await asyncio.to_thread(find_difference, symbol, candles, here)
    return VerifiedCrypto(symbol, len(candles), difference)


async def _stored(database: Database, symbol: str) -> Candles:
    """Return what is here of a symbol: no candles where there is no such crypto."""
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
