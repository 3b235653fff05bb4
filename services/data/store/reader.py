"""Reads candles: histories of many cryptos, complete or only the changed part."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

import numpy as np

from backcast_engine.candles import VALUE_COLUMNS, PriceColumn, TimeColumn
from backcast_engine.errors import InvalidInput
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.data.store.annotations import Annotations, AnnotationStore, HistoryVersion
from services.data.store.breaks import StoredBreak
from services.data.store.catalog import CryptoStore, StoredCrypto
from services.data.store.database import Database
from services.data.store.packed_hours import packed_ticks_of
from services.data.store.tables import CANDLE_TABLES, Scales, numbers, ticks_of
from services.domain.ticks import TickColumn

if TYPE_CHECKING:
    from services.data.store.database import Connection

# Groups of cryptos that are read at once, so that on two cores database and reader both work.
_READ_AHEAD = 3
# Most values of cryptos that are read in one transaction. The first groups are smaller, so that the first
# cryptos arrive early.
_GROUP_VALUES = 2**20
# A history of which the reader has a version counts as this part: most often only its last hours are read.
_KNOWN_PART = 4
# So many hours at the end are read from rows: to read and to unpack a block of packed hours takes longer.
_FEW_HOURS = 24
# The fingerprint of a crypto that was deleted while others were read; no other crypto has it.
_DELETED = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A query: `columns` of the first `limit` candles that open from `start_s` to before `end_s`.

    A longer candle that has not ended by the end of the crypto's data is not read.
    """

    interval: Interval
    columns: tuple[str, ...] = VALUE_COLUMNS
    start_s: int = EARLIEST_S
    end_s: int = LATEST_S
    limit: int | None = None

    def most_candles(self, crypto: StoredCrypto) -> int:
        """Return about how many candles of a crypto it reads at most."""
        stored_s = crypto.candle_count * Interval.HOUR_1.seconds
        if crypto.last_candle_s is not None:
            stored_s = min(stored_s, max(0, crypto.last_candle_s - self.start_s))
        return stored_s // self.interval.seconds


@dataclass(frozen=True, slots=True)
class CryptoHistory:
    """One crypto's candles, and the fingerprint of this state of the data.

    `open_time_s` is int64 and each of `columns` float64, of shape (n,). `unchanged_before_s` is set if the
    reader has an older state of the data: candles before it have not changed and are left out. `breaks`
    (including removed ones) and `partial` are those of the whole history, whatever candles are included.
    `has_earlier` says whether the history has candles before the query's start.
    """

    symbol: str
    fingerprint: str
    unchanged_before_s: int | None
    open_time_s: TimeColumn
    columns: dict[str, PriceColumn]
    breaks: list[StoredBreak]
    partial: PartialCandles
    has_earlier: bool = False

    @classmethod
    def of_deleted(cls, symbol: str, columns: tuple[str, ...]) -> Self:
        """Return the history of a crypto that was deleted meanwhile: it has no candles."""
        none = {name: np.empty(0) for name in columns}
        return cls(symbol, _DELETED, None, np.empty(0, np.int64), none, [], PartialCandles.none())


@dataclass(frozen=True, slots=True)
class _Request:
    """A crypto to read, the fingerprint that its reader has, and about how many candles to read at most."""

    symbol: str
    crypto_id: int
    known_fingerprint: str
    candle_count: int


class Histories:
    """Reads the histories in the database."""

    def __init__(self, database: Database, cryptos: CryptoStore) -> None:
        self._database = database
        self._cryptos = cryptos
        self._annotations = AnnotationStore()

    async def read(
        self, symbols: list[str], query: HistoryQuery, known_fingerprints: list[str]
    ) -> AsyncGenerator[list[CryptoHistory]]:
        """Yield the cryptos' histories, in the given order, in lists; several lists are read at once.

        `known_fingerprints` are those of the data that the reader has, one for each symbol, "" for none.
        Raises InvalidInput, naming the symbols that do not exist.
        """
        stored = await self._cryptos.stored(symbols)
        requests = [
            _Request(
                each.symbol, each.crypto_id, known, query.most_candles(each) // (_KNOWN_PART if known else 1)
            )
            for each, known in zip(stored, known_fingerprints, strict=True)
        ]
        waiting = deque(_grouped(requests, 1 + len(query.columns)))
        reading: deque[asyncio.Task[list[CryptoHistory]]] = deque()
        try:
            while waiting or reading:
                while waiting and len(reading) < _READ_AHEAD:
                    reading.append(asyncio.create_task(self._group(waiting.popleft(), query)))
                yield await reading[0]
                reading.popleft()
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def one(self, symbol: str, query: HistoryQuery) -> CryptoHistory:
        """Return one crypto's history; raise InvalidInput if there is no such crypto."""
        crypto_id = await self._cryptos.id(symbol)
        (history,) = await self._group([_Request(symbol, crypto_id, "", 0)], query)
        if history.fingerprint == _DELETED:
            raise InvalidInput.of("symbol", f"there is no crypto {symbol!r}")
        return history

    async def _group(self, requests: list[_Request], query: HistoryQuery) -> list[CryptoHistory]:
        # One snapshot for everything: an import in between must not give its fingerprint to older candles.
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            ids = [request.crypto_id for request in requests]
            known = [request.known_fingerprint for request in requests]
            rows = await connection.fetch(_STATES, ids, known, LATEST_S, EARLIEST_S)
            states = [_State(**row) for row in rows]
            versions = (HistoryVersion(each.crypto_id, each.fingerprint, each.last_s) for each in states)
            annotations = await self._annotations.of(connection, query.interval, versions)
            ticks = await _ticks(connection, states, query)
            with_earlier = await _with_earlier(connection, states, query)

        def histories() -> list[CryptoHistory]:
            read = {
                state.crypto_id: (
                    state,
                    ticks[state.crypto_id],
                    annotations[state.crypto_id],
                    state.crypto_id in with_earlier,
                )
                for state in states
            }
            return [
                _history(each.symbol, query, *read[each.crypto_id])
                if each.crypto_id in read
                else CryptoHistory.of_deleted(each.symbol, query.columns)
                for each in requests
            ]

        # Decoded in a thread, while others are read.
        return await asyncio.to_thread(histories)


def _grouped(requests: list[_Request], columns: int) -> Iterator[list[_Request]]:
    """Group the requests by their number of values; the first groups are smaller."""
    limit, group, values = 1, list[_Request](), 0
    for request in requests:
        group.append(request)
        values += request.candle_count * columns
        if values >= limit:
            yield group
            limit, group, values = min(4 * max(limit, values), _GROUP_VALUES), [], 0
    if group:
        yield group


@dataclass(frozen=True, slots=True)
class _State:
    """What is known about a crypto's candles without reading them; times are those of hourly candles."""

    crypto_id: int
    fingerprint: str
    price_scale: int
    volume_scale: int
    is_packed: bool
    is_gapless: bool | None
    first_s: int | None
    last_s: int | None
    changed_from_s: int | None

    def unchanged_before_s(self, interval: Interval) -> int | None:
        """Return the time before which the reader has the candles; None if it has none."""
        return None if self.changed_from_s is None else interval.opening(self.changed_from_s)

    def start_s(self, query: HistoryQuery) -> int:
        """Return the time from which on candles are requested that the reader does not have."""
        return max(query.start_s, self.unchanged_before_s(query.interval) or query.start_s)

    def source(self, query: HistoryQuery) -> "_Source":
        """Return what is read."""
        if query.interval is not Interval.HOUR_1 or query.limit is not None:
            return _Source.ROWS
        if self.is_packed and self._last_hours(query) > _FEW_HOURS:
            return _Source.PACKED_HOURS
        return _Source.GAPLESS_ROWS if self.is_gapless else _Source.ROWS

    def _last_hours(self, query: HistoryQuery) -> int:
        """Return how many hours there are from the first requested one to the last candle."""
        if self.last_s is None:
            return 0
        return (self.last_s - self.start_s(query)) // Interval.HOUR_1.seconds + 1

    def hours(self, query: HistoryQuery) -> TimeColumn:
        """Return the requested opening times of a history without gaps."""
        assert self.first_s is not None
        assert self.last_s is not None
        hour_s = Interval.HOUR_1.seconds
        begin_s = max(self.first_s, Interval.HOUR_1.next_opening(self.start_s(query)))
        return np.arange(begin_s, min(self.last_s + 1, query.end_s), hour_s, dtype=np.int64)


class _Source(Enum):
    """What candles are read from."""

    PACKED_HOURS = auto()
    ROWS = auto()
    # Their times are computed: reading these too takes half as long again.
    GAPLESS_ROWS = auto()


async def _ticks(
    connection: "Connection", states: list[_State], query: HistoryQuery
) -> dict[int, list[TickColumn]]:
    """Read the candles by the cryptos' ids: the times, and columns of ticks."""
    groups = defaultdict(list)
    for state in states:
        groups[state.source(query), state.start_s(query)].append(state)
    ticks: dict[int, list[TickColumn]] = {}
    for (source, start_s), group in groups.items():
        ids = [state.crypto_id for state in group]
        if source is _Source.PACKED_HOURS:
            ticks |= await packed_ticks_of(connection, ids, query.columns, start_s, query.end_s)
            continue
        columns = query.columns if source is _Source.GAPLESS_ROWS else ("ts", *query.columns)
        read = await ticks_of(connection, query.interval, ids, columns, start_s, query.end_s, query.limit)
        if source is _Source.GAPLESS_ROWS:
            read = {state.crypto_id: [state.hours(query), *read[state.crypto_id]] for state in group}
        ticks |= read
    return ticks


async def _with_earlier(connection: "Connection", states: list[_State], query: HistoryQuery) -> set[int]:
    """Return the ids of the cryptos that have candles before the query's start."""
    found = {each.crypto_id for each in states if each.first_s is not None and each.first_s < query.start_s}
    others = [each.crypto_id for each in states if each.crypto_id not in found]
    if others and query.start_s > EARLIEST_S and query.interval is not Interval.HOUR_1:
        # Longer candles outlive the hours that retention drops. The limit makes PostgreSQL use the index.
        rows = await connection.fetch(
            "SELECT crypto_id FROM unnest($1::integer[]) AS asked (crypto_id) CROSS JOIN LATERAL ("
            f"SELECT FROM {CANDLE_TABLES[query.interval]} AS candle "
            "WHERE candle.crypto_id = asked.crypto_id AND ts < to_timestamp($2) LIMIT 1) AS earlier",
            others,
            query.start_s,
        )
        found.update(row["crypto_id"] for row in rows)
    return found


def _history(
    symbol: str,
    query: HistoryQuery,
    state: _State,
    ticks: list[TickColumn],
    annotations: Annotations,
    has_earlier: bool,
) -> CryptoHistory:
    """Return the history, with ticks converted to numbers, without the candle that has not ended."""
    open_time_s, *ticks = ticks
    end = int(np.searchsorted(open_time_s, annotations.over_before_s))
    open_time_s, *ticks = (column[:end] for column in (open_time_s, *ticks))
    columns = numbers(query.columns, ticks, Scales(state.price_scale, state.volume_scale))
    return CryptoHistory(
        symbol,
        state.fingerprint,
        state.unchanged_before_s(query.interval),
        open_time_s,
        dict(zip(query.columns, columns, strict=True)),
        annotations.breaks,
        annotations.partial,
        has_earlier,
    )


# The states of the cryptos $1, whose readers have the fingerprints $2. `changed_from_s` is the time from
# which on the data has changed since: $3 if nothing has, $4 if everything has, NULL if the fingerprint is
# unknown. No table of candles is in it: planning a query of all of its chunks takes longer than the rest.
_STATES = """
SELECT crypto_id, fingerprint::text, price_scale, volume_scale, is_packed,
    last_ts - first_ts = (candle_count - 1) * INTERVAL '1 hour' AS is_gapless,
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM last_ts)::bigint AS last_s,
    CASE
        WHEN fingerprint::text = known_fingerprint THEN $3::bigint
        WHEN known_fingerprint <> '' THEN (
            SELECT CASE WHEN min(later.changed_from) = '-infinity' THEN $4
                ELSE extract(epoch FROM min(later.changed_from))::bigint END
            FROM candle_changes AS known JOIN candle_changes AS later USING (crypto_id)
            WHERE crypto_id = cryptos.crypto_id AND known.fingerprint::text = known_fingerprint
                AND later.change_id > known.change_id
        )
    END AS changed_from_s
FROM unnest($1::integer[], $2::text[]) WITH ORDINALITY AS asked (crypto_id, known_fingerprint, place)
JOIN cryptos USING (crypto_id)
ORDER BY place
"""
