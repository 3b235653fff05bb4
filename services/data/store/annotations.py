"""What a history has besides its candles: its breaks, the candles that miss hours, and where its data ends.

All of it depends on the data alone, which the fingerprint identifies. So it is remembered by fingerprint, and
read from the database only once after each change.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import LATEST_S
from services.data.store.breaks import StoredBreak, breaks_of
from services.data.store.tables import CANDLE_TABLES

if TYPE_CHECKING:
    from services.data.store.database import Connection

# Most histories whose annotations are remembered, and most breaks and partial candles of each: together some
# ten megabytes. A history with more is read every time.
_MOST_REMEMBERED = 4096
_MOST_VALUES = 256


class HistoryVersion(NamedTuple):
    """A version of a crypto's history: `last_s` is when its last hourly candle opens, None if it has none."""

    crypto_id: int
    fingerprint: str
    last_s: int | None


@dataclass(frozen=True, slots=True)
class Annotations:
    """The breaks of a history (including removed ones), and the candles of one length that miss hours.

    Candles that open from `over_before_s` on have not ended by the end of the data, and are not in `partial`.
    """

    breaks: list[StoredBreak]
    partial: PartialCandles
    over_before_s: int


class AnnotationStore:
    """Reads the annotations of histories, and remembers them."""

    def __init__(self) -> None:
        # By fingerprint and length of candles; those that were asked for last are at the end.
        self._remembered: OrderedDict[tuple[str, Interval], Annotations] = OrderedDict()

    async def of(
        self, connection: "Connection", interval: Interval, versions: Iterable[HistoryVersion]
    ) -> dict[int, Annotations]:
        """Return the annotations by the cryptos' ids; `connection` must see exactly these versions."""
        found, missing = {}, []
        for version in versions:
            key = version.fingerprint, interval
            if key in self._remembered:
                self._remembered.move_to_end(key)
                found[version.crypto_id] = self._remembered[key]
            else:
                missing.append(version)
        if missing:
            read = await _read(connection, interval, missing)
            found |= read
            for version in missing:
                self._remember((version.fingerprint, interval), read[version.crypto_id])
        return found

    def _remember(self, key: tuple[str, Interval], annotations: Annotations) -> None:
        if len(annotations.breaks) + len(annotations.partial.open_time_s) > _MOST_VALUES:
            return
        self._remembered[key] = annotations
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


async def _read(
    connection: "Connection", interval: Interval, versions: list[HistoryVersion]
) -> dict[int, Annotations]:
    crypto_ids = [version.crypto_id for version in versions]
    breaks = await breaks_of(connection, crypto_ids)
    partial = await _partial(connection, interval, crypto_ids)
    last_s = {version.crypto_id: version.last_s for version in versions if version.last_s is not None}
    if len(last_s) < len(versions):
        last_s |= await _last_without_hours(connection, [each for each in crypto_ids if each not in last_s])
    found = {}
    for crypto_id in crypto_ids:
        over_before_s = LATEST_S
        if crypto_id in last_s:
            over_before_s = last_s[crypto_id] + Interval.HOUR_1.seconds - interval.seconds + 1
        each = partial.get(crypto_id, PartialCandles.none())
        is_over = each.open_time_s < over_before_s
        found[crypto_id] = Annotations(
            breaks[crypto_id],
            PartialCandles(each.open_time_s[is_over], each.hours[is_over]),
            over_before_s,
        )
    return found


async def _partial(
    connection: "Connection", interval: Interval, crypto_ids: list[int]
) -> dict[int, PartialCandles]:
    """Return the candles that miss hours, of cryptos that have any."""
    if interval is Interval.HOUR_1:
        return {}
    # The number is a literal, so that PostgreSQL can use the partial index on these candles.
    hours = interval.seconds // Interval.HOUR_1.seconds
    rows = await connection.fetch(
        "SELECT crypto_id, array_agg(extract(epoch FROM ts)::bigint ORDER BY ts), "
        f"array_agg(candle_count ORDER BY ts) FROM {CANDLE_TABLES[interval]} "
        f"WHERE crypto_id = ANY ($1::integer[]) AND candle_count < {hours} GROUP BY crypto_id",
        crypto_ids,
    )
    return {
        crypto_id: PartialCandles(np.array(times, np.int64), np.array(counts, np.int64))
        for crypto_id, times, counts in rows
    }


async def _last_without_hours(connection: "Connection", crypto_ids: list[int]) -> dict[int, int]:
    """Return the times of the last hours of cryptos whose hourly candles retention has dropped.

    The times come from the shortest candles that are left. Cryptos without candles are left out.
    """
    rows = await connection.fetch(
        "SELECT crypto_id, "
        "extract(epoch FROM max(ts + (candle_count - 1) * INTERVAL '1 hour'))::bigint AS last_s "
        f"FROM {CANDLE_TABLES[Interval.HOUR_4]} WHERE crypto_id = ANY ($1::integer[]) GROUP BY crypto_id",
        crypto_ids,
    )
    return {row["crypto_id"]: row["last_s"] for row in rows}
