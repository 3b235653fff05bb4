"""Reads candles: histories of many cryptos, whole or what is new of them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from services.data.candle_tables import EARLIEST_S, LATEST_S, CandleTable, Scales
from services.data.cryptos import CryptoStore
from services.data.database import Database
from services.shared.candles import VALUE_COLUMNS, PriceColumn, TimeColumn
from services.shared.interval import Interval

# While one crypto's candles travel, the next ones are read: two cores have a database and a reader at work.
_READ_AHEAD = 3


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What to read: `columns` of the first `limit` candles that open from `start_s` to before `end_s`."""

    interval: Interval
    columns: tuple[str, ...] = VALUE_COLUMNS
    start_s: int = EARLIEST_S
    end_s: int = LATEST_S
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """One crypto's candles, and the fingerprint of the very data that they are.

    `open_time_s` is int64 and each of `columns` float64, of shape (n,). `unchanged_before_s` is set where
    the reader has an older state of the data: candles before are still as they were, and not here.
    """

    symbol: str
    fingerprint: str
    unchanged_before_s: int | None
    open_time_s: TimeColumn
    columns: dict[str, PriceColumn]


class Histories:
    """The candles in the database, for readers."""

    def __init__(self, database: Database, cryptos: CryptoStore) -> None:
        self._database = database
        self._cryptos = cryptos

    async def read(
        self, symbols: list[str], query: HistoryQuery, known_fingerprints: list[str]
    ) -> AsyncGenerator[History]:
        """Yield each crypto's history, in the given order; several are read at once.

        `known_fingerprints` are of the data that the reader has, one for each symbol, "" for none. Raises
        InvalidInput, naming the symbols that do not exist.
        """
        ids = await self._cryptos.ids(symbols)
        waiting = deque(zip(symbols, known_fingerprints, strict=True))
        reading: deque[asyncio.Task[History]] = deque()
        try:
            while waiting or reading:
                while waiting and len(reading) < _READ_AHEAD:
                    symbol, known = waiting.popleft()
                    reading.append(asyncio.create_task(self._one(symbol, ids[symbol], query, known)))
                yield await reading[0]
                reading.popleft()
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def one(self, symbol: str, query: HistoryQuery) -> History:
        """Return one crypto's history; raise InvalidInput where there is no such crypto."""
        crypto_id = await self._cryptos.id(symbol)
        return await self._one(symbol, crypto_id, query, "")

    async def _one(self, symbol: str, crypto_id: int, query: HistoryQuery, known: str) -> History:
        # One moment for all of it: an import in between must not give its fingerprint to older candles.
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            fingerprint, price_scale, volume_scale, changed_from_s = await connection.fetchrow(
                """
                SELECT fingerprint::text, price_scale, volume_scale,
                    CASE
                        WHEN fingerprint::text = $2 THEN $3::bigint
                        ELSE (
                            SELECT CASE WHEN min(later.changed_from) = '-infinity' THEN $4
                                ELSE extract(epoch FROM min(later.changed_from))::bigint END
                            FROM candle_changes AS known JOIN candle_changes AS later USING (crypto_id)
                            WHERE crypto_id = $1 AND known.fingerprint::text = $2
                                AND later.change_id > known.change_id
                        )
                    END
                FROM cryptos WHERE crypto_id = $1
                """,
                crypto_id,
                known,
                LATEST_S,
                EARLIEST_S,
            )  # type: ignore[misc]  # cryptos are never deleted
            start_s, unchanged_before_s = query.start_s, None
            if changed_from_s is not None:
                unchanged_before_s = query.interval.opening(changed_from_s)
                start_s = max(start_s, unchanged_before_s)
            table = CandleTable(connection, crypto_id, query.interval)
            scales = Scales(price_scale, volume_scale)
            open_time_s, columns = await table.values(
                query.columns, scales, start_s, query.end_s, query.limit
            )
        return History(
            symbol,
            fingerprint,
            unchanged_before_s,
            open_time_s,
            dict(zip(query.columns, columns, strict=True)),
        )
