"""Which cryptos there are."""

from dataclasses import dataclass

from services.data.database import Database
from services.shared.errors import InvalidInput, Violation

# Enough to be sure which symbols are wrong, few enough to read.
_VIOLATIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Crypto:
    """A crypto that has candles; times are the opening times of hourly candles in Unix seconds."""

    symbol: str
    synthetic: bool
    candle_count: int
    first_candle_s: int
    last_candle_s: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredCrypto:
    """The key of a crypto's candles, and how many hourly ones there are."""

    symbol: str
    crypto_id: int
    candle_count: int


class CryptoStore:
    """Reads the table of cryptos, which the import keeps up to date: no candle is read for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, symbols: list[str], after: str, size: int) -> list[Crypto]:
        """Return up to `size` cryptos after the symbol `after`, of `symbols` only unless that is empty."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """
                SELECT symbol, synthetic, candle_count, fingerprint::text,
                       extract(epoch FROM first_ts)::bigint AS first_candle_s,
                       extract(epoch FROM last_ts)::bigint AS last_candle_s
                FROM cryptos
                WHERE candle_count > 0 AND symbol > $1 AND (cardinality($2::text[]) = 0 OR symbol = ANY ($2))
                ORDER BY symbol
                LIMIT $3
                """,
                after,
                symbols,
                size,
            )
        return [Crypto(**row) for row in rows]

    async def id(self, symbol: str) -> int:
        """Return the id of a symbol; raise InvalidInput where there is no such crypto."""
        stored = await self._stored([symbol])
        if symbol not in stored:
            raise InvalidInput.of("symbol", f"there is no crypto {symbol!r}")
        return stored[symbol].crypto_id

    async def stored(self, symbols: list[str]) -> list[StoredCrypto]:
        """Return the keys of the symbols' candles, in this order; raise InvalidInput, naming wrong ones."""
        stored = await self._stored(symbols)
        first_positions = {symbol: index for index, symbol in reversed(list(enumerate(symbols)))}
        wrong = [
            Violation(
                f"symbols[{index}]",
                f"there is no crypto {symbol!r}" if symbol not in stored else f"{symbol!r} is there twice",
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
                "SELECT symbol, crypto_id, candle_count FROM cryptos WHERE symbol = ANY ($1::text[])",
                # PostgreSQL has no text with a NUL in it: no symbol has one either.
                [symbol for symbol in symbols if "\0" not in symbol],
            )
        return {row["symbol"]: StoredCrypto(**row) for row in rows}
