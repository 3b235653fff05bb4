"""TLS in front of a server that has none: the embedded servers are built without."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.security.certificates import Files

# What PostgreSQL's clients ask for first, and the server's yes.
_SSL_REQUEST, _YES = bytes.fromhex("0000000804d2162f"), b"S"


def socket_of_redis(url: str) -> Path:
    """Return the unix socket that the URL of the embedded Valkey names."""
    return Path(unquote(urlsplit(url).path))


def socket_of_postgres(url: str) -> Path:
    """Return the unix socket that the URL of the embedded PostgreSQL names."""
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0]) / f".s.PGSQL.{query['port'][0]}"


class TlsFront:
    """Takes TLS connections while its context lasts, and passes what is in them on to a unix socket.

    With `asked_first`, TLS begins after PostgreSQL's request for it.
    """

    def __init__(self, files: Files, socket: Path, asked_first: bool) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.cert, files.key)
        self._socket = socket
        self._asked_first = asked_first
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if self._asked_first:
                assert await reader.readexactly(len(_SSL_REQUEST)) == _SSL_REQUEST
                writer.write(_YES)
            await writer.start_tls(self._context)
            behind_reader, behind_writer = await asyncio.open_unix_connection(str(self._socket))
            self.connections += 1
            await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
