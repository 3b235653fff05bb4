"""A database that stands still, as where a disk hangs: it is given up, and tried again by the next call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from services.data.schema.migrate import migrate
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database, DatabaseUnavailable, ended_with
from services.data.store.writer import CandleStore, ImportCounts
from services.domain.errors import Unavailable
from tests.candle_making import random_candles
from tests.data.conftest import Server, bits, history_of, listed
from tests.paused_processes import paused
from tests.waiting import LIMIT_S, until

CANDLES = random_candles(1, 5000)
PATIENCE_S = 0.5
CONNECTIONS = 3


@pytest.fixture
async def impatient(empty_url: str) -> AsyncIterator[Database]:
    """A database with a crypto, given up soon."""
    async with Database.connect(empty_url, CONNECTIONS, PATIENCE_S) as database:
        await migrate(database)
        await CandleStore(database).write_candles("AUSDT", False, CANDLES[:-100])
        yield database


Work = Callable[[Database, asyncio.Event, asyncio.Event], Coroutine[Any, Any, None]]
"""Works with a database; sets the first event when it has begun. The second one is set in the pause."""


async def _statement(database: Database, begun: asyncio.Event, _: asyncio.Event) -> None:
    async with database.connection() as connection:
        begun.set()
        await connection.execute("SELECT pg_sleep(60)")


async def _transaction(database: Database, begun: asyncio.Event, _: asyncio.Event) -> None:
    async with database.connection() as connection, connection.transaction():
        await connection.execute("UPDATE cryptos SET candle_count = 0")
        begun.set()
        await connection.execute("SELECT pg_sleep(60)")


async def _copy(database: Database, begun: asyncio.Event, _: asyncio.Event) -> None:
    """Copy without an end: at some time the server takes nothing more."""

    async def lines() -> AsyncIterator[bytes]:
        while True:
            yield b"2000-01-01\n" * 10_000
            begun.set()
            await asyncio.sleep(0)

    async with database.connection() as connection:
        await connection.execute("CREATE TEMPORARY TABLE copied (at date)")
        async with ended_with(connection):
            await connection.copy_to_table("copied", source=lines())


async def _session(database: Database, begun: asyncio.Event, is_paused: asyncio.Event) -> None:
    """Wait for a statement of a session of its own, which has no time limit."""
    async with database.session() as connection:
        begun.set()
        await is_paused.wait()
        await connection.execute("SELECT")


@pytest.mark.parametrize("amid", [_statement, _transaction, _copy, _session])
async def test_a_call_to_a_paused_database_ends(server: Server, impatient: Database, amid: Work) -> None:
    begun, is_paused = asyncio.Event(), asyncio.Event()
    under_way = asyncio.create_task(amid(impatient, begun, is_paused))
    await begun.wait()
    with paused(server.process.pid):
        is_paused.set()
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(Unavailable, match=r"^the database does not answer$"):
                await under_way
    assert (await listed(CryptoStore(impatient)))["AUSDT"].candle_count == 4900


async def test_more_calls_than_connections_end_and_leave_nothing(server: Server, impatient: Database) -> None:
    store, cryptos = CandleStore(impatient), CryptoStore(impatient)
    before = await listed(cryptos)
    files = psutil.Process().num_fds()
    with paused(server.process.pid):
        calls = [
            *(history_of(impatient, "AUSDT") for _ in range(CONNECTIONS)),
            *(store.write_candles(f"NEW{number}USDT", False, CANDLES) for number in range(CONNECTIONS)),
            *(listed(cryptos) for _ in range(CONNECTIONS)),
        ]
        async with asyncio.timeout(LIMIT_S):
            answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [(type(answer), str(answer)) for answer in answers] == [
            (DatabaseUnavailable, "the database does not answer")
        ] * len(calls)
        # Again while it stands still: then there is no connection to begin with.
        async with asyncio.timeout(LIMIT_S):
            with pytest.raises(Unavailable, match="the database does not answer"):
                await listed(cryptos)

    assert await listed(cryptos) == before
    assert bits((await history_of(impatient, "AUSDT")).candles) == bits(CANDLES[:-100])
    assert await store.write_candles("AUSDT", False, CANDLES) == ImportCounts(100, 0, 4900)
    # One connection more at most: the one that asks whether the database is there.
    assert psutil.Process().num_fds() <= files + CONNECTIONS


async def test_a_short_pause_ends_nothing(server: Server, impatient: Database, empty_url: str) -> None:
    async with Database.connect(empty_url, CONNECTIONS, LIMIT_S) as patient:
        async with patient.connection():
            pass
        files = psutil.Process().num_fds()
        with paused(server.process.pid):
            reading = asyncio.create_task(history_of(patient, "AUSDT"))
            # The database is asked whether it is there, over a connection of its own.
            await until(lambda: psutil.Process().num_fds() > files)
        assert bits((await reading).candles) == bits(CANDLES[:-100])


async def test_a_slow_statement_is_no_silence(impatient: Database) -> None:
    answers = set()
    async with impatient.connection() as connection, impatient.connection() as other:

        async def has_answered_twice() -> bool:
            answers.update(await other.fetch(_ANSWERS))
            return len(answers) >= 2

        await other.execute("SELECT pg_advisory_lock(1)")
        waiting = asyncio.create_task(connection.execute("SELECT pg_advisory_lock(1)"))
        # The database is asked whether it is there, and says so.
        await until(has_answered_twice)
        assert not waiting.done()
        await other.execute("SELECT pg_advisory_unlock(1)")
        await waiting


# When the database was last asked whether it is there.
_ANSWERS = "SELECT state_change FROM pg_stat_activity WHERE query = 'SELECT 1' AND state = 'idle'"


async def test_the_pool_is_closed_while_the_database_is_paused(server: Server, empty_url: str) -> None:
    with ExitStack() as pause:
        async with asyncio.timeout(LIMIT_S), Database.connect(empty_url, 2, PATIENCE_S) as database:
            async with database.connection():
                pass
            pause.enter_context(paused(server.process.pid))
