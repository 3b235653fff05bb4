"""Tables as other programs have them, which candles are moved from."""

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg

from backcast_engine.candles import Candles

Row = tuple[object, ...]


def rows_of(crypto_id: int, candles: Candles) -> list[Row]:
    """Rows with the decimals that people write for these doubles."""
    return [
        (crypto_id, datetime.fromtimestamp(time_s, UTC), *(Decimal(repr(value)) for value in values))
        for time_s, *values in zip(*(column.tolist() for column in candles.columns()), strict=True)
    ]


async def make_source(url: str, symbols: dict[int, str], rows: list[Row]) -> None:
    """Make the tables of cryptos and of prices, and fill them."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """
            CREATE TABLE cryptos (id integer PRIMARY KEY, symbol varchar(50));
            CREATE TABLE crypto_prices (
                crypto_id integer, datetime timestamptz, open_price numeric, high_price numeric,
                low_price numeric, close_price numeric, volume numeric
            );
            CREATE INDEX ON crypto_prices (crypto_id, datetime)
            """
        )
        await connection.copy_records_to_table("cryptos", records=symbols.items())
        await connection.copy_records_to_table("crypto_prices", records=rows)
    finally:
        await connection.close()
