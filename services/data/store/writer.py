"""Writes the hourly candles of an import and the longer ones aggregated from them, in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self
from weakref import WeakValueDictionary

import numpy as np
import stamina
from numpy.typing import NDArray

from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason, InvalidInput, Refused
from backcast_engine.interval import Interval
from services.data.store.asked_hours import AskedHours, Fetched
from services.data.store.breaks import BreakTable, StoredBreak
from services.data.store.catalog import CRYPTO_COLUMNS, Crypto, is_text
from services.data.store.database import ATTEMPTS, Contended, Database
from services.data.store.packed_hours import PackedHours
from services.data.store.tables import CANDLE_TABLES, CandleTable, Scales, ticks_from
from services.domain.aggregation import AGGREGATED, aggregate
from services.domain.conflict_rule import ConflictRule
from services.domain.ticks import scale_for
from services.ingest.quality.overwriting import changes, check_overwriting

if TYPE_CHECKING:
    from services.data.store.database import Connection


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """The outcome of an import, and the breaks of the whole history after it.

    `inserted` candles are new, `corrected` ones have new values, `unchanged` ones were stored with equal
    values, and `kept` ones are stored with other values. `breaks` are in order of time, including removed
    ones. `replaced` are the corrected candles as they were stored, and `replacing` as they are now.
    """

    inserted: int
    corrected: int
    unchanged: int
    kept: int = 0
    breaks: tuple[StoredBreak, ...] = ()
    replaced: Candles = field(default_factory=Candles.empty, compare=False)
    replacing: Candles = field(default_factory=Candles.empty, compare=False)


class CandleStore:
    """Writes and deletes candles in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(
        self,
        symbol: str,
        synthetic: bool,
        blocks: AsyncIterator[Candles],
        on_conflict: ConflictRule = ConflictRule.REPLACE,
        fetched: Fetched | None = None,
    ) -> ImportCounts:
        """Write hourly candles of one crypto in one transaction: all blocks, or nothing.

        The blocks are in order of time. `fetched` is recorded with them; if the crypto is stored, the hours
        may be recorded without any candle. Raises Refused if real candles would be mixed with synthetic ones,
        or candles fetched from two exchanges, or if the rule does not allow the import to change stored
        candles. GUARDED allows an exchange to change what it was asked for before.
        """
        # All blocks are received before the transaction, so that a slow sender holds neither a connection nor
        # a lock. Memory is bounded, because there are no more candles than hours since 1970.
        candles = Candles.concatenate([block async for block in blocks])
        if not len(candles) and not fetched:
            raise InvalidInput.of("columns", "an import needs at least one candle")
        if fetched:
            outside = (candles.open_time_s < fetched.start_s) | (candles.open_time_s >= fetched.end_s)
            if outside.any():
                position = int(np.argmax(outside))
                raise InvalidInput.of(f"columns[{position}]", "the candle is outside of header.asked_hours")
        return await self.write_candles(symbol, synthetic, candles, on_conflict, fetched)

    async def write_candles(
        self,
        symbol: str,
        synthetic: bool,
        candles: Candles,
        on_conflict: ConflictRule = ConflictRule.REPLACE,
        fetched: Fetched | None = None,
    ) -> ImportCounts:
        """Like `write`, for candles in memory: at least one."""
        # The crypto's row is locked as well, for other processes. Within this process, a waiting import must
        # not hold a connection.
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            return await self._write(symbol, synthetic, candles, on_conflict, fetched)

    async def delete(self, symbol: str) -> Crypto:
        """Delete a crypto with its candles of all lengths, its breaks and its recorded changes.

        Returns the crypto as it was; raises InvalidInput if there is none. A concurrent import either
        precedes the deletion or creates a new crypto.
        """
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            return await self._delete(symbol)

    @stamina.retry(on=Contended, attempts=ATTEMPTS)
    async def _delete(self, symbol: str) -> Crypto:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            # The row first, because imports and retention lock it first; whoever waits for it finds it gone.
            # Breaks and changes are deleted with it.
            row = is_text(symbol) and await connection.fetchrow(
                f"DELETE FROM cryptos WHERE symbol = $1 RETURNING crypto_id, {CRYPTO_COLUMNS}", symbol
            )
            if not row:
                raise InvalidInput.of("symbol", f"there is no crypto {symbol!r}")
            crypto_id, *values = row
            for interval in CANDLE_TABLES:
                await CandleTable(connection, crypto_id, interval).delete_all()
        return Crypto(*values)

    # TimescaleDB locks the chunks that it compresses, in another order.
    @stamina.retry(on=Contended, attempts=ATTEMPTS)
    async def _write(
        self,
        symbol: str,
        synthetic: bool,
        candles: Candles,
        on_conflict: ConflictRule,
        fetched: Fetched | None,
    ) -> ImportCounts:
        async with self._database.connection() as connection, connection.transaction():
            crypto = await _LockedCrypto.take(connection, symbol, synthetic)
            was_asked = np.zeros(len(candles), np.bool_)
            if fetched:
                asked_hours = AskedHours(connection, crypto.crypto_id, symbol)
                was_asked = await asked_hours.include(candles.open_time_s)
                await asked_hours.add(fetched)
            if not len(candles):
                return await crypto.unchanged()
            return await crypto.write(candles, on_conflict, was_asked)


@dataclass(frozen=True, slots=True)
class _LockedCrypto:
    """A crypto whose row is locked, so that no other transaction writes its candles."""

    connection: "Connection"
    crypto_id: int
    symbol: str
    scales: Scales
    # Opening time of its last hourly candle in Unix seconds, None if it has none.
    last_s: int | None
    # Created by this transaction: there are no stored candles to compare with or to replace.
    is_new: bool
    packed: PackedHours | None
    # They are those of its rows.
    is_packed: bool

    @classmethod
    async def take(cls, connection: "Connection", symbol: str, synthetic: bool) -> Self:
        """Lock the crypto's row, or create it."""
        made_id = await connection.fetchval(
            "INSERT INTO cryptos (symbol, synthetic, breaks_found) VALUES ($1, $2, true) "
            "ON CONFLICT (symbol) DO NOTHING RETURNING crypto_id",
            symbol,
            synthetic,
        )
        if made_id is not None:
            packed = await PackedHours.of(connection, made_id)
            return cls(
                connection, made_id, symbol, Scales(0, 0), None, is_new=True, packed=packed, is_packed=True
            )
        row = await connection.fetchrow(
            "SELECT crypto_id, synthetic, price_scale, volume_scale, extract(epoch FROM last_ts)::bigint, "
            "is_packed FROM cryptos WHERE symbol = $1 FOR UPDATE",
            symbol,
        )
        if row is None:
            raise Contended(f"{symbol} was deleted meanwhile: try again")
        crypto_id, is_synthetic, price_scale, volume_scale, last_s, is_packed = row
        if is_synthetic != synthetic:
            kinds = ("market", "synthetic")
            raise Refused(
                f"{symbol} has {kinds[is_synthetic]} candles: {kinds[synthetic]} ones cannot be mixed in",
                reason=ErrorReason.CANDLES_CONFLICT,
                symbol=symbol,
            )
        scales = Scales(price_scale, volume_scale)
        packed = await PackedHours.of(connection, crypto_id)
        return cls(
            connection, crypto_id, symbol, scales, last_s, is_new=False, packed=packed, is_packed=is_packed
        )

    async def unchanged(self) -> ImportCounts:
        """Return the outcome of an import without candles; raise InvalidInput if the crypto is new."""
        if self.is_new:
            raise InvalidInput.of(
                "columns", f"{self.symbol} is not stored yet: at least one candle is needed"
            )
        return ImportCounts(0, 0, 0, breaks=tuple(await BreakTable(self.connection, self.crypto_id).all()))

    async def write(
        self, candles: Candles, on_conflict: ConflictRule, was_asked: NDArray[np.bool_]
    ) -> ImportCounts:
        """Write candles; those that `was_asked` are corrections of the exchange's own."""
        hourly = self._table(Interval.HOUR_1)
        # Whole weeks, because longer candles are aggregated again from all of their hours.
        first_s, last_s = candles.open_time_s[[0, -1]].tolist()
        week_s = Interval.WEEK_1.seconds
        start_s, end_s = Interval.WEEK_1.opening(first_s), Interval.WEEK_1.opening(last_s) + week_s
        stored = Candles.empty() if self.is_new else await hourly.candles(self.scales, start_s, end_s)

        is_new, is_different = changes(stored, candles)
        is_compared = ~was_asked | (on_conflict is ConflictRule.FAIL)
        check_overwriting(
            self.symbol, stored, candles, is_new | ~is_compared, is_different & is_compared, on_conflict
        )
        is_corrected = is_different & on_conflict.replaces
        counts = ImportCounts(
            inserted=int(is_new.sum()),
            corrected=int(is_corrected.sum()),
            unchanged=int((~is_new & ~is_different).sum()),
            kept=int((is_different & ~is_corrected).sum()),
            replaced=stored.at(np.isin(stored.open_time_s, candles.open_time_s[is_corrected])),
            replacing=candles.at(is_corrected),
        )
        is_changed = is_new | is_corrected
        changed = candles if is_changed.all() else candles.at(is_changed)
        breaks = BreakTable(self.connection, self.crypto_id)
        if not len(changed):
            return replace(counts, breaks=tuple(await breaks.all()))

        scales = await self._widened(changed)
        # COPY only inserts rows, and is far faster than statements that also replace them.
        if counts.corrected:
            await hourly.delete(candles.open_time_s[is_corrected])
        # Aggregated in a thread, while the hourly candles are sent.
        longer = asyncio.create_task(asyncio.to_thread(_longer, stored, changed, scales))
        try:
            ticks = await asyncio.to_thread(ticks_from, changed, scales)
            await hourly.insert_ticks(ticks)
            if self.packed:
                await (self.packed.put(ticks) if self.is_packed else self.packed.pack())
        finally:
            all_longer = await longer
        for interval, candles_and_counts in all_longer.items():
            await self._replace(interval, *candles_and_counts, scales)
        if self.is_new:
            found, changed_from_s = await breaks.find(changed), first_s
        else:
            changed_from_s = await self._find_breaks(breaks, stored, changed, scales)
            found = await breaks.all()
        await self._note(changed, counts.inserted, scales, changed_from_s)
        return replace(counts, breaks=tuple(found))

    async def _widened(self, changed: Candles) -> Scales:
        """Return scales that also fit the changed candles, after converting stored candles to them."""
        prices = np.concatenate((changed.open, changed.high, changed.low, changed.close))
        scales = Scales(scale_for(prices, self.scales.price), scale_for(changed.volume, self.scales.volume))
        if scales == self.scales or self.is_new:
            return scales
        tables = [self._table(interval) for interval in CANDLE_TABLES]
        largest = [await table.largest_ticks() for table in tables]
        scales = Scales(
            scale_for(prices, self.scales.price, max(price for price, _ in largest)),
            scale_for(changed.volume, self.scales.volume, max(volume for _, volume in largest)),
        )
        if scales != self.scales and any(map(any, largest)):
            factors = 10 ** (scales.price - self.scales.price), 10 ** (scales.volume - self.scales.volume)
            for table in tables:
                await table.widen(*factors)
            if self.packed and self.is_packed:
                await self.packed.widen(*factors)
        return scales

    async def _replace(
        self, interval: Interval, longer: Candles, candle_counts: NDArray[np.int64], scales: Scales
    ) -> None:
        """Write longer candles, and replace stored ones.

        A stored candle that was aggregated from more hours stays: retention has dropped some of them since.
        """
        table = self._table(interval)
        if self.is_new:
            await table.insert(longer, scales, candle_counts)
            return
        times_s, stored_counts = await table.ticks(
            ("ts", "candle_count"), int(longer.open_time_s[0]), int(longer.open_time_s[-1]) + 1
        )
        _, there, place = np.intersect1d(longer.open_time_s, times_s, assume_unique=True, return_indices=True)
        is_complete = np.ones(len(longer), np.bool_)
        is_complete[there] = candle_counts[there] >= stored_counts[place]
        replaced = there[is_complete[there]]
        if len(replaced):
            await table.delete(longer.open_time_s[replaced])
        await table.insert(longer.at(is_complete), scales, candle_counts[is_complete])

    async def _find_breaks(
        self, breaks: BreakTable, stored: Candles, changed: Candles, scales: Scales
    ) -> int:
        """Update the breaks; return the time from which on readers get changed data."""
        first_s, last_s = map(int, changed.open_time_s[[0, -1]])
        merged = _merged(stored, changed)
        inside = merged.at((merged.open_time_s >= first_s) & (merged.open_time_s <= last_s))
        # A jump within the last day counted as a break until now, and may be none any more.
        other_break_s = await breaks.find_around(inside, scales)
        others_s = [] if other_break_s is None else [other_break_s]
        return min([first_s, *others_s, *self._now_over(first_s)])

    def _now_over(self, first_s: int) -> Iterator[int]:
        """Yield the last hour of each longer candle that becomes visible although none of its hours is new.

        The data ended within it and now continues after it, so it has ended now.
        """
        if self.last_s is None:
            return
        for interval in AGGREGATED:
            end_s = interval.opening(self.last_s) + interval.seconds
            if self.last_s + Interval.HOUR_1.seconds < end_s <= first_s:
                yield end_s - Interval.HOUR_1.seconds

    async def _note(self, changed: Candles, inserted: int, scales: Scales, changed_from_s: int) -> None:
        await self.connection.execute(
            """
            WITH noted AS (
                UPDATE cryptos
                SET candle_count = candle_count + $2,
                    first_ts = least(first_ts, to_timestamp($3)),
                    last_ts = greatest(last_ts, to_timestamp($4)),
                    price_scale = $5,
                    volume_scale = $6,
                    fingerprint = new.fingerprint,
                    packed_fingerprint = CASE WHEN $8 THEN new.fingerprint END
                FROM gen_random_uuid() AS new (fingerprint)
                WHERE crypto_id = $1
                RETURNING new.fingerprint
            )
            INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
            SELECT $1, fingerprint, to_timestamp($7) FROM noted
            """,
            self.crypto_id,
            inserted,
            int(changed.open_time_s[0]),
            int(changed.open_time_s[-1]),
            scales.price,
            scales.volume,
            changed_from_s,
            self.packed is not None,
        )

    def _table(self, interval: Interval) -> CandleTable:
        return CandleTable(self.connection, self.crypto_id, interval)


def _longer(
    stored: Candles, changed: Candles, scales: Scales
) -> dict[Interval, tuple[Candles, NDArray[np.int64]]]:
    """Return the longer candles that contain a changed one, and the number of hours of each."""
    merged = _merged(stored, changed)
    result = {}
    for interval in AGGREGATED:
        longer, candle_counts = aggregate(merged, interval, scales.volume)
        touched = np.zeros(len(longer), np.bool_)
        touched[np.searchsorted(longer.open_time_s, interval.openings(changed.open_time_s))] = True
        result[interval] = longer.at(touched), candle_counts[touched]
    return result


def _merged(stored: Candles, changed: Candles) -> Candles:
    """Merge candles in order of time; a changed candle replaces the stored one."""
    if not len(stored):
        return changed
    kept = stored.at(~np.isin(stored.open_time_s, changed.open_time_s))
    both = Candles.concatenate([kept, changed])
    return both.at(np.argsort(both.open_time_s, kind="stable"))
