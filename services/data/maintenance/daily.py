"""Daily maintenance by the data service: retention. TimescaleDB compresses by its own policies."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from backcast_engine.errors import BackcastError
from services.data.maintenance.columnstore import ensure_policies
from services.data.maintenance.retention import apply_retention
from services.data.store.database import Database

_log = structlog.get_logger()

_DAY_S = 86_400


@asynccontextmanager
async def daily_maintenance(
    database: Database, columnstore_after_days: int, retention_days: int
) -> AsyncIterator[None]:
    """Set the compression policies, and apply retention daily for as long as the context lasts."""
    await ensure_policies(database, columnstore_after_days)
    daily = asyncio.create_task(_daily(database, retention_days))
    try:
        yield
    finally:
        daily.cancel()
        with suppress(asyncio.CancelledError):
            await daily


async def _daily(database: Database, retention_days: int) -> None:
    while True:
        try:
            dropped = await apply_retention(database, retention_days, int(time.time()))
            _log.info("retention applied", dropped=dropped)
        except BackcastError as error:
            _log.warning("retention failed", reason=str(error))
        await asyncio.sleep(_DAY_S)
