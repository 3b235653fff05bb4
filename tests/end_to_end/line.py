"""A connection to a service that a test controls: it records, holds or cuts what comes over it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self


class Line:
    """Passes TCP on to a service while its context lasts; connect to `address`.

    `received` is how many bytes the service has sent. From `limit` of them on they are held until `open`
    is called; `cut` ends all connections. While it is `down`, new ones end at once; `refused` counts them.
    """

    def __init__(self, service_address: str) -> None:
        self._host, _, self._port = service_address.rpartition(":")
        self._passes = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.received = 0
        self.limit: int | None = None
        self.down = False
        self.refused = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def hold(self, after: int) -> None:
        """Let so many more bytes of the service through."""
        self._passes.clear()
        self.limit = self.received + after

    def open(self) -> None:
        """Let everything through that is and was held."""
        self.limit = None
        self._passes.set()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End all connections, and make no new one before the context ends: no call can be answered."""
        self.down = True
        self.cut()
        try:
            yield
        finally:
            self.down = False

    def cut(self) -> None:
        """End all connections; what is held is lost."""
        self.open()
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            self.refused += 1
            writer.close()
            return
        service_reader, service_writer = await asyncio.open_connection(self._host, int(self._port))
        self._writers |= {writer, service_writer}
        with suppress(OSError):
            await asyncio.gather(self._send(reader, service_writer), self._receive(service_reader, writer))
        for end in (writer, service_writer):
            end.close()

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4_096):
            self.received += len(data)
            if self.limit is not None and self.received > self.limit:
                await self._passes.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
