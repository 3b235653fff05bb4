"""The catalog of cryptos, and the fingerprints that name the states of their candles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backcast_engine.errors import InvalidInput, Violation
from services.data.store.database import Database

if TYPE_CHECKING:
    from services.data.store.database import Connection

# Most unknown symbols that an error names.
_VIOLATIONS_SHOWN = 10


# The columns of Crypto, in its order.
CRYPTO_COLUMNS = (
    "symbol, synthetic, candle_count, extract(epoch FROM first_ts)::bigint AS first_candle_s, "
    "extract(epoch FROM last_ts)::bigint AS last_candle_s, fingerprint::text, "
    "coalesce(source, '') AS source, "
    "ARRAY(SELECT extract(epoch FROM lower(span))::bigint FROM unnest(asked_hours) AS span) AS asked_from_s, "
    "ARRAY(SELECT extract(epoch FROM upper(span))::bigint FROM unnest(asked_hours) AS span) AS asked_to_s"
)


@dataclass(frozen=True, slots=True)
class Crypto:
    """A crypto; times are opening times of hourly candles in Unix seconds, None if it has none.

    `source` is the exchange that candles were fetched from, empty if all were imported. It was asked for the
    hours from each of `asked_from_s` up to its equal in `asked_to_s`. `fingerprint_before` is the fingerprint
    of the candles before the requested time; None if none was requested.
    """

    symbol: str
    synthetic: bool
    candle_count: int
    first_candle_s: int | None
    last_candle_s: int | None
    fingerprint: str
    source: str = ""
    asked_from_s: Sequence[int] = ()
    asked_to_s: Sequence[int] = ()
    fingerprint_before: str | None = None


@dataclass(frozen=True, slots=True)
class CryptoPage:
    """A page of cryptos, and the version of the data that it was read from."""

    cryptos: list[Crypto]
    version: str


@dataclass(frozen=True, slots=True)
class StoredCrypto:
    """The key of a crypto's candles, the number of its hourly candles, and when the last one opens.

    `last_candle_s` is in Unix seconds, None if it has none.
    """

    symbol: str
    crypto_id: int
    candle_count: int
    last_candle_s: int | None


def is_text(text: str) -> bool:
    """Return whether PostgreSQL accepts a text: it must not contain NUL."""
    return "\0" not in text


class CryptoStore:
    """Reads the table of cryptos, which imports keep up to date, so that no candles are read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> str:
        """Return the version of all stored data: as long as it is the same, no import has changed any."""
        async with self._database.connection() as connection:
            return str(await connection.fetchval(_VERSION))

    async def page(
        self, symbols: list[str], after: str, size: int, before_s: int | None = None
    ) -> CryptoPage:
        """Return up to `size` cryptos after the symbol `after`; only of `symbols`, unless that is empty.

        With `before_s` (Unix seconds), each also has the fingerprint of its candles that open before then.
        """
        # A symbol that PostgreSQL does not accept belongs to no crypto.
        wanted = list(filter(is_text, symbols)) if symbols else None
        asked = (after, wanted, size) if before_s is None else (after, wanted, size, before_s)
        query = _PAGE.format(fingerprint_before="NULL" if before_s is None else _FINGERPRINT_BEFORE)
        async with self._database.connection() as connection:
            rows = await connection.fetch(query, *asked)
        return CryptoPage([Crypto(*row[1:]) for row in rows if row["symbol"] is not None], rows[0]["version"])

    async def id(self, symbol: str) -> int:
        """Return the id of a symbol; raise InvalidInput if there is no such crypto."""
        stored = await self._stored([symbol])
        if symbol not in stored:
            raise InvalidInput.of("symbol", f"there is no crypto {symbol!r}")
        return stored[symbol].crypto_id

    async def stored(self, symbols: list[str]) -> list[StoredCrypto]:
        """Return the keys of the symbols' candles, in this order; raise InvalidInput, naming unknown ones."""
        stored = await self._stored(symbols)
        first_positions = {symbol: index for index, symbol in reversed(list(enumerate(symbols)))}
        wrong = [
            Violation(
                f"symbols[{index}]",
                f"there is no crypto {symbol!r}" if symbol not in stored else f"{symbol!r} occurs twice",
            )
            for index, symbol in enumerate(symbols)
            if symbol not in stored or first_positions[symbol] != index
        ]
        if wrong:
            raise InvalidInput(*wrong[:_VIOLATIONS_SHOWN])
        return [stored[symbol] for symbol in symbols]

    async def _stored(self, symbols: list[str]) -> dict[str, StoredCrypto]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT symbol, crypto_id, candle_count, "
                "extract(epoch FROM last_ts)::bigint AS last_candle_s "
                "FROM cryptos WHERE symbol = ANY ($1::text[])",
                list(filter(is_text, symbols)),
            )
        return {row["symbol"]: StoredCrypto(**row) for row in rows}


# Equal snapshots see the same transactions, also where these commit in another order than they began. A
# snapshot is of all databases of a server, and its transaction ids are those of one server since it was
# started: another one may have the same ids, and even the same identifier, if its files are a copy. Where a
# part of the server crashes and it goes on, ids come again that had left no trace on the disk; recovery ends
# with a checkpoint, so the last checkpoint distinguishes what was before from what came after.
_VERSION = """
SELECT encode(sha256(convert_to(
    concat_ws(
        ' ', system_identifier, pg_postmaster_start_time(), checkpoint_lsn,
        current_database(), pg_current_snapshot()
    ),
    'UTF8'
)), 'hex') AS version
FROM pg_control_system(), pg_control_checkpoint()
"""

# One statement, so that version and cryptos are of one snapshot. Where there is no crypto, one row has none.
_PAGE = f"""
WITH stored AS MATERIALIZED ({_VERSION})
SELECT version, listed.*
FROM stored LEFT JOIN (
    SELECT {CRYPTO_COLUMNS},
        {{fingerprint_before}} AS fingerprint_before
    FROM cryptos
    WHERE candle_count > 0 AND symbol > $1 AND ($2::text[] IS NULL OR symbol = ANY ($2))
    ORDER BY symbol
    LIMIT $3
) AS listed ON true
ORDER BY symbol
"""

# A fingerprint identifies a crypto's candles between one change and the next. It also identifies the present
# candles before $4 if no later change reaches back before $4. So the fingerprint of the last change that
# reaches back before $4 is taken; if there is none, or none is kept, any fingerprint would do, and the first
# one is taken, because it stays the same. Kept changes have no gaps: a crypto's changes are deleted from the
# first one on (see retention.py).
_FINGERPRINT_BEFORE = """
CASE WHEN last_ts < to_timestamp($4) THEN fingerprint ELSE coalesce(
    (
        SELECT change.fingerprint FROM candle_changes AS change
        WHERE change.crypto_id = cryptos.crypto_id AND NOT superseded AND changed_from < to_timestamp($4)
        ORDER BY changed_from DESC LIMIT 1
    ),
    (
        SELECT change.fingerprint FROM candle_changes AS change
        WHERE change.crypto_id = cryptos.crypto_id
        ORDER BY change_id LIMIT 1
    )
) END::text
"""


async def record_change(connection: "Connection", crypto_id: int, changed_from_s: int) -> None:
    """Give a crypto a new fingerprint, and record the time from which on it changed (Unix seconds)."""
    await connection.execute(
        """
        WITH noted AS (
            UPDATE cryptos
            SET fingerprint = new.fingerprint,
                packed_fingerprint = CASE WHEN is_packed THEN new.fingerprint END
            FROM gen_random_uuid() AS new (fingerprint)
            WHERE crypto_id = $1
            RETURNING new.fingerprint
        )
        INSERT INTO candle_changes (crypto_id, fingerprint, changed_from)
        SELECT $1, fingerprint, to_timestamp($2) FROM noted
        """,
        crypto_id,
        changed_from_s,
    )
