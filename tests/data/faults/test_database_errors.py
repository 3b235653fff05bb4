"""Faults of the database end in an error of one sentence, and calls work again when the database does."""

import asyncio
import signal
import socket
from urllib.parse import quote

import psutil
import pytest

from backcast_engine.errors import InvalidInput
from services.data.store.catalog import CryptoStore
from services.data.store.database import Database
from services.data.store.writer import CandleStore, ImportCounts
from services.domain.errors import Unavailable
from tests.candle_making import random_candles
from tests.data.conftest import Server, bits, blocks_of, execute, history_of, listed, url_of

pytestmark = pytest.mark.servers

CANDLES = random_candles(1, 100)


async def _connect(url: str) -> None:
    async with Database.connect(url, 1):
        pass


async def _unavailable(url: str) -> str:
    with pytest.raises(Unavailable) as caught:
        await _connect(url)
    return str(caught.value)


async def test_the_error_says_that_nothing_listens_on_the_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql://someone:secret@127.0.0.1:{port}/backcast"
        assert await _unavailable(url) == "the database does not answer"


async def test_the_error_says_that_the_socket_is_absent(short_folder):
    url = f"postgresql://someone@/backcast?host={quote(str(short_folder / 'nowhere'))}"
    assert await _unavailable(url) == "the database does not answer"


async def test_the_error_names_an_unknown_database(server):
    message = await _unavailable(url_of(server, "nowhere"))
    assert message == 'the database refuses the connection: database "nowhere" does not exist'


async def test_the_error_names_an_unknown_account(server):
    message = await _unavailable(url_of(server, "postgres", "nobody"))
    assert message == 'the database refuses the connection: role "nobody" does not exist'


async def test_the_error_says_that_the_database_has_no_free_connection(server):
    await execute(server.url, "CREATE ROLE crowd LOGIN CONNECTION LIMIT 0")
    try:
        message = await _unavailable(url_of(server, "postgres", "crowd"))
    finally:
        await execute(server.url, "DROP ROLE crowd")
    assert message == "the database has no connection left"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://127.0.0.1/backcast",
        "postgresql://someone:secret@127.0.0.1:port/backcast",
        # The slash ends the host, and what is before it is taken for a port.
        "postgresql://someone:secret/word@127.0.0.1/backcast",
        "postgresql://someone:secret@[::1/backcast",
        "postgresql://someone:secret@127.0.0.1/backcast?sslmode=secret",
        "postgresql://someone:secret@,127.0.0.1/backcast",
    ],
)
async def test_the_error_names_the_variable_of_a_wrong_url_but_not_the_url(url):
    with pytest.raises(InvalidInput) as caught:
        await _connect(url)
    message = str(caught.value)
    assert (
        message == "BACKCAST_DATABASE_URL: is not of the form postgresql://user:password@host:port/database"
    )
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_the_error_names_an_unknown_parameter(server):
    with pytest.raises(InvalidInput) as caught:
        await _connect(f"{server.url}&channel_binding=require")
    assert str(caught.value) == (
        "BACKCAST_DATABASE_URL: the database refuses it: "
        'unrecognized configuration parameter "channel_binding"'
    )


async def test_the_error_says_that_a_statement_takes_too_long(database):
    with pytest.raises(Unavailable, match="the database took too long"):
        async with database.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = '10ms'")
            await connection.execute("SELECT pg_sleep(60)")


def _stop_in_order(server: Server) -> None:
    server.stop()


def _stop_at_once(server: Server) -> None:
    """As after a crash: the log is replayed at the next start."""
    psutil.Process(server.process.pid).send_signal(signal.SIGQUIT)
    server.stop()


def _kill(server: Server) -> None:
    processes = [server.process.pid, *_children(server)]
    for pid in processes:
        psutil.Process(pid).suspend()
    for pid in processes:
        psutil.Process(pid).kill()
    server.stop()


def _children(server: Server) -> list[int]:
    return [child.pid for child in psutil.Process(server.process.pid).children(recursive=True)]


@pytest.mark.parametrize("stop", [_stop_in_order, _stop_at_once, _kill])
async def test_a_server_that_comes_back_is_used_again(server, database, stop):
    store, cryptos = CandleStore(database), CryptoStore(database)
    await store.write("AUSDT", False, blocks_of(CANDLES))
    before, version = await listed(cryptos), await cryptos.version()

    started = [asyncio.Event(), asyncio.Event()]
    amid = [
        asyncio.create_task(_statement(database, started[0])),
        asyncio.create_task(_transaction(database, started[1])),
    ]
    await asyncio.gather(*(event.wait() for event in started))
    try:
        stop(server)
        for unanswered in (
            *amid,
            history_of(database, "AUSDT"),
            store.write("AUSDT", False, blocks_of(CANDLES)),
            cryptos.page([], "", 10),
        ):
            with pytest.raises(
                Unavailable, match=r"^the database (does not answer|is starting or stopping)$"
            ):
                await unanswered
    finally:
        server.start()

    assert await listed(cryptos) == before
    # Ids of transactions that the crash has forgotten come again.
    assert await cryptos.version() != version
    assert bits((await history_of(database, "AUSDT")).candles) == bits(CANDLES)
    assert await store.write("AUSDT", False, blocks_of(CANDLES)) == ImportCounts(0, 0, 100)


_AT_IT = "DO $$ BEGIN RAISE NOTICE 'at it'; PERFORM pg_sleep(60); END $$"


async def _statement(database: Database, started: asyncio.Event) -> None:
    """Run a statement, and set `started` when the server runs it."""
    async with database.connection() as connection:
        connection.add_log_listener(lambda *_: started.set())
        await connection.execute(_AT_IT)


async def _transaction(database: Database, started: asyncio.Event) -> None:
    """The same in a transaction that has changed something, and cannot be rolled back by a client."""
    async with database.connection() as connection, connection.transaction():
        connection.add_log_listener(lambda *_: started.set())
        await connection.execute("UPDATE cryptos SET candle_count = 0")
        await connection.execute(_AT_IT)
