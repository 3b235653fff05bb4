"""Hourly candles in blocks of packed columns, beside the rows of `candles_1h`, on plain PostgreSQL.

PostgreSQL takes as long to send a block as to send a row, so that whole histories are read from blocks.
TimescaleDB compresses rows to such blocks itself, and these would take more room beside them than the rows. A
block has one column of 876 hours: a tenth of the 365 days that retention drops at once, and two blocks fill a
page. The hour is the place in the block, so that times are not stored. A block has the ticks of the rows, as
int32 if all of them fit, otherwise as int64.

A crypto's blocks count only while `cryptos.packed_fingerprint` is its fingerprint (`is_packed`). Whoever
changes rows without blocks, as a service of an older version does, gives the crypto another fingerprint; then
the rows are read, until they are packed again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.store.database import has_timescale
from services.data.store.tables import CandleTable
from services.domain.ticks import TickColumn

if TYPE_CHECKING:
    from services.data.store.database import Connection

BLOCK_HOURS = 876
_BLOCK_S = BLOCK_HOURS * Interval.HOUR_1.seconds
_HOURS_S = Interval.HOUR_1.seconds * np.arange(BLOCK_HOURS)
# These would be the inverted bits of 0, which is stored as 0 ticks (services/domain/ticks.py).
_NO_CANDLE = -1
# Blocks of a column by the time of their first hour, in Unix seconds, ascending.
_Blocks = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class PackedHours:
    """One crypto's blocks, on a connection that has locked the crypto's row."""

    connection: "Connection"
    crypto_id: int

    @classmethod
    async def of(cls, connection: "Connection", crypto_id: int) -> Self | None:
        """Return a crypto's blocks; None on TimescaleDB, which has none."""
        return None if await has_timescale(connection) else cls(connection, crypto_id)

    async def put(self, columns: dict[str, TickColumn]) -> None:
        """Write candles, from columns as `CandleTable.ticks` returns them; each replaces that of its hour."""
        starts_s = columns["ts"] // _BLOCK_S * _BLOCK_S
        stored = await self._blocks(int(starts_s[0]), int(starts_s[-1]) + 1)
        await self._write(await asyncio.to_thread(_merged, stored, starts_s, columns))

    async def widen(self, price_factor: int, volume_factor: int) -> None:
        """Multiply all ticks, as `CandleTable.widen` does."""
        stored = await self._blocks()
        await self._write(await asyncio.to_thread(_widened, stored, price_factor, volume_factor))

    async def pack(self) -> None:
        """Write all blocks again, from the rows."""
        await self.connection.execute("DELETE FROM packed_hours WHERE crypto_id = $1", self.crypto_id)
        names = ("ts", *VALUE_COLUMNS)
        ticks = await CandleTable(self.connection, self.crypto_id, Interval.HOUR_1).ticks(names)
        if len(ticks[0]):
            await self.put(dict(zip(names, ticks, strict=True)))

    async def _blocks(self, start_s: int = EARLIEST_S, end_s: int = LATEST_S) -> dict[str, _Blocks]:
        found = await _blocks_of(self.connection, [self.crypto_id], VALUE_COLUMNS, start_s, end_s)
        return found[self.crypto_id]

    async def _write(self, blocks: dict[str, _Blocks]) -> None:
        written = [(name, *block) for name, by_start in blocks.items() for block in by_start.items()]
        if not written:
            return
        names, starts_s, ticks = zip(*written, strict=True)
        await self.connection.execute(
            "INSERT INTO packed_hours (crypto_id, column_name, ts, ticks) "
            "SELECT $1, column_name, to_timestamp(start_s), ticks "
            "FROM unnest($2::text[], $3::bigint[], $4::bytea[]) AS block (column_name, start_s, ticks) "
            "ON CONFLICT (crypto_id, column_name, ts) DO UPDATE SET ticks = excluded.ticks",
            *(self.crypto_id, names, starts_s, ticks),
        )


async def packed_ticks_of(
    connection: "Connection", crypto_ids: list[int], columns: Sequence[str], start_s: int, end_s: int
) -> dict[int, list[TickColumn]]:
    """Return what `ticks_of` does for hourly candles of cryptos whose blocks are up to date.

    The times come first; ticks are int32 or int64.
    """
    # Any column shows which hours have candles.
    asked = tuple(columns) or VALUE_COLUMNS[:1]
    blocks = await _blocks_of(connection, crypto_ids, asked, start_s, end_s)

    def unpacked() -> dict[int, list[TickColumn]]:
        return {
            crypto_id: _unpacked(blocks[crypto_id], start_s, end_s)[: 1 + len(columns)]
            for crypto_id in crypto_ids
        }

    return await asyncio.to_thread(unpacked)


async def _blocks_of(
    connection: "Connection", crypto_ids: list[int], columns: Sequence[str], start_s: int, end_s: int
) -> dict[int, dict[str, _Blocks]]:
    """Return by crypto and column the blocks that have hours from `start_s` to before `end_s`."""
    rows = await connection.fetch(
        "SELECT crypto_id, column_name, extract(epoch FROM ts)::bigint, ticks FROM packed_hours "
        "WHERE crypto_id = ANY ($1::integer[]) AND column_name = ANY ($2::text[]) "
        "AND ts > to_timestamp($3) AND ts < to_timestamp($4) ORDER BY ts",
        *(crypto_ids, columns, start_s - _BLOCK_S, end_s),
    )
    blocks: dict[int, dict[str, _Blocks]] = defaultdict(lambda: {name: {} for name in columns})
    for crypto_id, name, block_start_s, ticks in rows:
        blocks[crypto_id][name][block_start_s] = ticks
    return blocks


def _unpacked(blocks: dict[str, _Blocks], start_s: int, end_s: int) -> list[TickColumn]:
    """Return the times and the ticks of the candles that open from `start_s` to before `end_s`."""
    starts_s = next(iter(blocks.values()))
    times_s = (np.array(list(starts_s), np.int64)[:, None] + _HOURS_S).ravel()
    inside = slice(*np.searchsorted(times_s, (start_s, end_s)).tolist())
    columns = [times_s[inside], *(_joined(by_start)[inside] for by_start in blocks.values())]
    is_there = columns[1] != _NO_CANDLE
    return columns if is_there.all() else [column[is_there] for column in columns]


def _joined(by_start: _Blocks) -> TickColumn:
    """Return the ticks of all hours of blocks, int32 where all blocks have these."""
    return np.concatenate([np.empty(0, np.int32), *map(_decoded, by_start.values())])


def _decoded(block: bytes) -> TickColumn:
    return np.frombuffer(block, f"<i{len(block) // BLOCK_HOURS}")


def _encoded(ticks: TickColumn) -> bytes:
    narrow = ticks.astype("<i4")
    return (narrow if np.array_equal(narrow, ticks) else ticks.astype("<i8")).tobytes()


def _merged(
    stored: dict[str, _Blocks], starts_s: NDArray[np.int64], columns: dict[str, TickColumn]
) -> dict[str, _Blocks]:
    """Return the blocks of the candles, with the candles that these blocks had before in the other hours."""
    block_starts_s, numbers = np.unique(starts_s, return_inverse=True)
    hours = (columns["ts"] - starts_s) // Interval.HOUR_1.seconds
    merged = {}
    for name, by_start in stored.items():
        ticks = np.full((len(block_starts_s), BLOCK_HOURS), _NO_CANDLE, np.int64)
        for number, start_s in enumerate(block_starts_s.tolist()):
            if start_s in by_start:
                ticks[number] = _decoded(by_start[start_s])
        ticks[numbers, hours] = columns[name]
        merged[name] = dict(zip(block_starts_s.tolist(), map(_encoded, ticks), strict=True))
    return merged


def _widened(stored: dict[str, _Blocks], price_factor: int, volume_factor: int) -> dict[str, _Blocks]:
    def widened(ticks: TickColumn, factor: int) -> bytes:
        return _encoded(np.where(ticks < 0, ticks, ticks.astype(np.int64) * factor))

    return {
        name: {
            start_s: widened(_decoded(block), volume_factor if name == "volume" else price_factor)
            for start_s, block in by_start.items()
        }
        for name, by_start in stored.items()
    }
