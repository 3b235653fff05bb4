"""The server ends a session while nobody waits for an answer: the next call fails, and one after it works.

Between the server's last message and the end of the connection, the driver takes it for open. A server in
front of the database sends the message and leaves the connection open.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import pytest

from services.data.store.database import Database, DatabaseUnavailable
from tests.data.conftest import Server
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.servers


def _message(kind: bytes, **fields: str) -> bytes:
    """Return an error or a notice as PostgreSQL sends it."""
    body = b"".join(f"{code}{text}\0".encode() for code, text in fields.items()) + b"\0"
    return kind + struct.pack(">I", len(body) + 4) + body


_NOTICE = _message(b"N", S="WARNING", V="WARNING", C="01000", M="the session ends")
_FATAL = _message(b"E", S="FATAL", V="FATAL", C="57P01", M="terminating connection")


class Front:
    """Passes connections on to a database."""

    def __init__(self, url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        self._socket = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"
        self._clients: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Give the URL of the database behind it."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield f"postgresql://postgres@127.0.0.1:{server.sockets[0].getsockname()[1]}/postgres"
        finally:
            server.close()
            await server.wait_closed()

    def end_sessions(self) -> None:
        """Send all clients what a server sends that stops, and no end of the connection."""
        for client in self._clients:
            client.write(_NOTICE + _FATAL)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        self._clients.append(writer)
        with suppress(OSError):
            await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
        self._clients.remove(writer)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def test_a_session_that_the_server_ends_is_reported_and_replaced(server: Server) -> None:
    front = Front(server.url)
    async with front.serving() as url, Database.connect(url, 1) as database:
        was_read = asyncio.Event()
        with pytest.raises(DatabaseUnavailable, match="the database does not answer"):
            async with database.connection() as connection:
                connection.add_log_listener(lambda *_: was_read.set())
                front.end_sessions()
                await asyncio.wait_for(was_read.wait(), LIMIT_S)
                await connection.fetchval("SELECT 1")
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
