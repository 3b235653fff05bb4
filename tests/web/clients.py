"""Clients of the page's process: one of plain HTTP, as curl is, and those of connectrpc itself."""

import asyncio
import base64
import http.client
import json
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectrpc.client import ConnectClient
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2

from services.web.app import SERVICES

METHODS: dict[str, MethodDescriptor] = {
    method.name: method for service in SERVICES for method in service.methods
}
JSON = "application/json"
END_OF_STREAM = 2
_LIMIT_S = 60


def path_of(name: str) -> str:
    """Return the path of the method called `name`."""
    method = METHODS[name]
    return f"/{method.containing_service.full_name}/{name}"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def detail(self, kind: type[Message]) -> Any:
        """Return the detail of this type of an error."""
        return detail_of(self.json(), kind)


def detail_of(error: dict[str, Any], kind: type[Message]) -> Any:
    (value,) = [each["value"] for each in error["details"] if each["type"] == kind.DESCRIPTOR.full_name]
    return kind.FromString(base64.b64decode(value + "=="))


def violated(error: dict[str, Any]) -> list[str]:
    return [each.field for each in detail_of(error, error_details_pb2.BadRequest).field_violations]


@dataclass(frozen=True)
class Page:
    """A page's process, and how to call it."""

    address: str
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Make a request; names of headers have _ for -."""
        return await asyncio.to_thread(self.send_now, method, path, body, **headers)

    def send_now(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = (
            http.client.HTTPSConnection(self.address, timeout=_LIMIT_S, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(self.address, timeout=_LIMIT_S)
        )
        named = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    async def post(self, name: str, request: Any = None, **headers: str) -> Answer:
        """Call a unary method with a request in JSON."""
        body = json.dumps(request or {}).encode()
        return await self.send("POST", path_of(name), body, **{"content_type": JSON, **headers})

    async def stream(self, name: str, request: Any, **headers: str) -> tuple[list[Any], dict[str, Any]]:
        """Call a streaming method in JSON; return its messages, and what its end says."""
        answer = await self.send(
            "POST",
            path_of(name),
            enveloped(json.dumps(request).encode()),
            **{"content_type": "application/connect+json", **headers},
        )
        assert answer.status == 200, answer.body
        *messages, (flags, end) = envelopes(answer.body)
        assert flags == END_OF_STREAM
        return [json.loads(message) for _, message in messages], json.loads(end)

    @asynccontextmanager
    async def connected(self, name: str, request: Message) -> "AsyncIterator[asyncio.StreamReader]":
        """Call a streaming method in binary; nothing is read but what is asked for."""
        # A buffer of its own of at most 64 KiB; what is left in the kernel's is as it has it.
        reader, writer = await asyncio.open_connection(*self.address.rsplit(":", 1), limit=2**15)
        body = enveloped(request.SerializeToString())
        head = [
            f"POST {path_of(name)} HTTP/1.1",
            f"host: {self.address}",
            "content-type: application/connect+proto",
            f"content-length: {len(body)}",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await writer.drain()
        try:
            yield reader
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def begun(
        self, path: str, size: int, **headers: str
    ) -> "AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]":
        """Begin a POST: its head says that the body has `size` bytes, of which none is sent yet."""
        reader, writer = await asyncio.open_connection(*self.address.rsplit(":", 1), ssl=self.tls)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {"host": self.address, "content-length": str(size), **named}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def client(
        self, protocol: ProtocolType = ProtocolType.CONNECT, as_json: bool = False, **options: Any
    ) -> ConnectClient:
        """Return connectrpc's own client."""
        codec = google_protobuf_json_codec() if as_json else google_protobuf_binary_codec()
        return ConnectClient(self.url, codec=codec, protocol=protocol, **options)


def info_of(name: str) -> MethodInfo[Any, Any]:
    """Return a method as connectrpc's client wants it."""
    method = METHODS[name]
    return MethodInfo(
        name=name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )


def enveloped(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def envelopes(body: bytes) -> list[tuple[int, bytes]]:
    """Return the messages of a stream, with their flags."""
    found = []
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        found.append((flags, body[5 : 5 + size]))
        body = body[5 + size :]
    return found


async def next_status(reader: asyncio.StreamReader) -> int:
    """Read the status of the response that comes next."""
    async with asyncio.timeout(_LIMIT_S):
        return int((await reader.readline()).split()[1])


async def next_message(reader: asyncio.StreamReader) -> bytes:
    """Read the next message of a stream that has begun: each is a chunk of HTTP's."""
    size = int(await reader.readline(), 16)
    chunk = await reader.readexactly(size)
    assert await reader.readexactly(2) == b"\r\n"
    flags, length = struct.unpack(">BI", chunk[:5])
    assert length == size - 5
    return b"" if flags & END_OF_STREAM else chunk[5:]
