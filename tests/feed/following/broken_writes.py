"""Writes of one crypto that fail in the database, while those of others succeed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.feed.following.conftest import DataService


@asynccontextmanager
async def broken_writes(
    data: DataService, symbol: str, condition: str, times: int = 10**6
) -> AsyncIterator[None]:
    """Have writes of a new crypto fail in the database, with a condition of PostgreSQL's, so many times."""
    await data.execute(
        f"""
        CREATE SEQUENCE attempts;
        CREATE FUNCTION break_write() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('attempts') <= {times} THEN
                RAISE {condition} USING MESSAGE = 'broken';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER broken BEFORE INSERT ON cryptos FOR EACH ROW
        WHEN (NEW.symbol = '{symbol}') EXECUTE FUNCTION break_write();
        """
    )
    try:
        yield
    finally:
        await data.execute("DROP FUNCTION break_write CASCADE; DROP SEQUENCE attempts")
