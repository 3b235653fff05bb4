"""The stored breaks of one crypto, which every change of its candles keeps up to date."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backcast_engine.breaks import SETTLING_S, Break, BreakState, break_at, find_breaks, jumps
from backcast_engine.candles import Candles, open_close_candles
from backcast_engine.interval import Interval
from services.data.store.tables import CandleTable, Scales

if TYPE_CHECKING:
    from services.data.store.database import Connection

# Hours read around changed candles: more than two settling times, mostly enough to classify each jump.
_NEIGHBOURS = 2 * SETTLING_S // Interval.HOUR_1.seconds + 1
_MORE = 8


@dataclass(frozen=True, slots=True)
class StoredBreak:
    """A break and its state: detected, confirmed or removed."""

    place: Break
    state: BreakState


def served(breaks: Iterable[StoredBreak]) -> list[StoredBreak]:
    """Return the breaks that are in effect: all except the removed ones."""
    return [each for each in breaks if each.state is not BreakState.REMOVED]


@dataclass(frozen=True, slots=True)
class BreakTable:
    """One crypto's breaks, on a connection; a writer must have locked the crypto's row."""

    connection: "Connection"
    crypto_id: int

    async def all(self) -> list[StoredBreak]:
        """Return all breaks, including removed ones, in order of time."""
        return (await breaks_of(self.connection, [self.crypto_id]))[self.crypto_id]

    async def put(self, breaks: Iterable[StoredBreak]) -> None:
        """Write breaks; each replaces a stored break with the same candle after it."""
        await self.connection.executemany(
            "INSERT INTO breaks (crypto_id, before_ts, after_ts, close, open, state) "
            "VALUES ($1, to_timestamp($2), to_timestamp($3), $4, $5, $6) "
            "ON CONFLICT (crypto_id, after_ts) DO UPDATE SET before_ts = excluded.before_ts, "
            "close = excluded.close, open = excluded.open, state = excluded.state",
            [
                (
                    *(self.crypto_id, each.place.before_s, each.place.after_s),
                    *(each.place.close, each.place.open, each.state.value),
                )
                for each in breaks
            ],
        )

    async def delete(self, breaks: Iterable[StoredBreak]) -> None:
        """Delete breaks."""
        await self.connection.execute(
            "DELETE FROM breaks WHERE crypto_id = $1 "
            "AND after_ts IN (SELECT to_timestamp(time_s) FROM unnest($2::bigint[]) AS time_s)",
            self.crypto_id,
            [each.place.after_s for each in breaks],
        )

    async def find(self, candles: Candles) -> list[StoredBreak]:
        """Detect and store the breaks of a new crypto, of which `candles` are all; return them."""
        breaks = [StoredBreak(each, BreakState.DETECTED) for each in find_breaks(candles)]
        if breaks:
            await self.put(breaks)
        return breaks

    async def find_around(self, changed: Candles, scales: Scales) -> int | None:
        """Detect breaks again around `changed`: all candles from the first changed one to the last one.

        Manual states stay. Returns the time (Unix seconds) of the candle after the first break that is new,
        gone, or has other values; None if there is no such break.
        """
        region = await self._region(changed, scales)
        stored = await self.all()
        # A break whose candle is gone was detected in hours that retention has dropped since. It stays
        # stored, because it describes the jump across the dropped hours.
        places = [(each, _position(region, each.place.after_s)) for each in stored]
        looked_at = [(each, position) for each, position in places if position]
        dropped_s = [each.place.after_s for each, position in places if position is None]
        found = {
            each.after_s: StoredBreak(each, BreakState.DETECTED)
            for each in find_breaks(region)
            if not any(each.before_s < time_s < each.after_s for time_s in dropped_s)
        }
        for each, position in looked_at:
            if each.state is not BreakState.DETECTED:
                found[each.place.after_s] = StoredBreak(break_at(region, position), each.state)
        new = [each for each in found.values() if each not in stored]
        lost = [each for each, _ in looked_at if each not in found.values()]
        if lost:
            await self.delete(lost)
        if new:
            await self.put(new)
        return min((each.place.after_s for each in served([*lost, *new])), default=None)

    async def _region(self, changed: Candles, scales: Scales) -> Candles:
        """Return the changed candles and enough candles around them to detect the same breaks as in all.

        Whether a jump is a break can depend on an earlier jump whose price came back, and so on, but not
        across a settling time without any jump. Only time, open and close are filled.
        """
        candles = open_close_candles(changed.open_time_s, changed.open, changed.close)
        count = _NEIGHBOURS
        while True:
            before = await self._before(int(changed.open_time_s[0]), scales, count)
            after = await self._after(int(changed.open_time_s[-1]), scales, count)
            region = Candles.concatenate([before, candles, after])
            jump_times_s = region.open_time_s[jumps(region) + 1]
            begins_quietly = len(before) < count or (
                not (jump_times_s <= region.open_time_s[0] + SETTLING_S).any()
            )
            ends_quietly = len(after) < count or (
                not (jump_times_s > region.open_time_s[-1] - SETTLING_S).any()
            )
            if begins_quietly and ends_quietly:
                return region
            count *= _MORE

    async def _before(self, first_s: int, scales: Scales, count: int) -> Candles:
        time_s, (open_, close) = await self._hours.values_before(("open", "close"), scales, first_s, count)
        return open_close_candles(time_s, open_, close)

    async def _after(self, last_s: int, scales: Scales, count: int) -> Candles:
        columns = ("open", "close")
        time_s, (open_, close) = await self._hours.values(columns, scales, start_s=last_s + 1, limit=count)
        return open_close_candles(time_s, open_, close)

    @property
    def _hours(self) -> CandleTable:
        return CandleTable(self.connection, self.crypto_id, Interval.HOUR_1)


async def breaks_of(connection: "Connection", crypto_ids: list[int]) -> dict[int, list[StoredBreak]]:
    """Return the breaks of each crypto, including removed ones, in order of time."""
    breaks: dict[int, list[StoredBreak]] = {crypto_id: [] for crypto_id in crypto_ids}
    rows = await connection.fetch(
        "SELECT crypto_id, state, close, open, extract(epoch FROM before_ts)::bigint AS before_s, "
        "extract(epoch FROM after_ts)::bigint AS after_s "
        "FROM breaks WHERE crypto_id = ANY ($1::integer[]) ORDER BY after_ts",
        crypto_ids,
    )
    for row in rows:
        place = Break(row["before_s"], row["after_s"], row["close"], row["open"])
        breaks[row["crypto_id"]].append(StoredBreak(place, BreakState(row["state"])))
    return breaks


def _position(candles: Candles, time_s: int) -> int | None:
    """Return the position of the candle that opens at this time."""
    position = int(np.searchsorted(candles.open_time_s, time_s))
    is_there = position < len(candles) and candles.open_time_s[position] == time_s
    return position if is_there else None
