"""Manual edits of breaks: lists, confirms, adds, removes and resets them."""

from typing import TYPE_CHECKING

import stamina

from backcast_engine.breaks import BreakState, break_at
from backcast_engine.candles import Candles, open_close_candles
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.data.store.breaks import BreakTable, StoredBreak
from services.data.store.catalog import CryptoStore, is_text, record_change
from services.data.store.database import ATTEMPTS, Contended, Database
from services.data.store.tables import CandleTable, Scales

if TYPE_CHECKING:
    from services.data.store.database import Connection


class BreakStore:
    """The breaks in the database."""

    def __init__(self, database: Database, cryptos: CryptoStore) -> None:
        self._database = database
        self._cryptos = cryptos

    async def of(self, symbol: str) -> list[StoredBreak]:
        """Return all breaks of a crypto in order of time; raise InvalidInput if there is no such crypto."""
        crypto_id = await self._cryptos.id(symbol)
        async with self._database.connection() as connection:
            return await BreakTable(connection, crypto_id).all()

    # Retention and TimescaleDB lock in another order.
    @stamina.retry(on=Contended, attempts=ATTEMPTS)
    async def update(self, symbol: str, after_s: int, state: BreakState) -> list[StoredBreak]:
        """Set the state of the break before the candle that opens at `after_s` (Unix seconds).

        CONFIRMED adds a break if none is stored. DETECTED discards the manual state, so that detection counts
        again. Returns all breaks of the crypto in order of time. Raises InvalidInput if there is no such
        crypto, no candle on one of the sides, or no break to remove or reset.
        """
        async with self._database.connection() as connection, connection.transaction():
            crypto_id, scales = await _locked(connection, symbol)
            table = BreakTable(connection, crypto_id)
            before = await table.all()
            candles = await _two_candles(connection, crypto_id, scales, after_s)
            places = [each.place for each in before if each.place.after_s == after_s]
            if not places and state is not BreakState.CONFIRMED:
                raise InvalidInput.of("after_time", f"{symbol} has no break at {utc(after_s)}")
            if not places and len(candles) < 2:
                missing = "before the one" if len(candles) else "that opens"
                raise InvalidInput.of("after_time", f"{symbol} has no candle {missing} at {utc(after_s)}")
            # Retention may have dropped the candles of a known break.
            is_there = len(candles) == 2
            await table.put([StoredBreak(break_at(candles, 1) if is_there else places[0], state)])
            if state is BreakState.DETECTED and is_there:
                await table.find_around(candles[1:], scales)
            after = await table.all()
            if after != before:
                await record_change(connection, crypto_id, after_s)
            return after


async def _locked(connection: "Connection", symbol: str) -> tuple[int, Scales]:
    """Lock a crypto's row; return its id and its scales."""
    await connection.execute("LOCK TABLE cryptos IN ROW EXCLUSIVE MODE")
    row = is_text(symbol) and await connection.fetchrow(
        "SELECT crypto_id, price_scale, volume_scale FROM cryptos WHERE symbol = $1 FOR UPDATE", symbol
    )
    if not row:
        raise InvalidInput.of("symbol", f"there is no crypto {symbol!r}")
    crypto_id, price_scale, volume_scale = row
    return crypto_id, Scales(price_scale, volume_scale)


async def _two_candles(connection: "Connection", crypto_id: int, scales: Scales, after_s: int) -> Candles:
    """Return the candle before `after_s` and the one that opens then; fewer if they do not exist."""
    table = CandleTable(connection, crypto_id, Interval.HOUR_1)
    time_s, (open_, close) = await table.values_before(("open", "close"), scales, after_s + 1, 2)
    candles = open_close_candles(time_s, open_, close)
    return candles if len(candles) and candles.open_time_s[-1] == after_s else Candles.empty()
