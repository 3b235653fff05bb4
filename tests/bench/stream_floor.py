"""The floor of any run: a stream of as many messages of the same bytes, from a process that does no more."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import grpc

from services.local.ports import HOST
from tests.bench.timing import Timing

_SERVICE, _METHOD = "bench.Floor", "Stream"


@contextmanager
def bare_server(messages: list[bytes]) -> Iterator[str]:
    """Stream `messages` to whoever calls, and yield the address, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, messages))
    server.start()
    # Closed here, so that the pipe ends, and `recv` with it, when the server does.
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        server.join()


async def timed_stream(channel: grpc.aio.Channel) -> Timing:
    """Read all messages of a bare server."""
    first_s = None
    began = time.perf_counter()
    # Without a serializer grpc passes bytes on as they are; its type stubs know of serialized messages only.
    stream: Any = channel.unary_stream(f"/{_SERVICE}/{_METHOD}")
    async for _ in stream(b""):
        if first_s is None:
            first_s = time.perf_counter() - began
    return Timing(time.perf_counter() - began, first_s)


def _serve(pipe: Connection, messages: list[bytes]) -> None:
    asyncio.run(_serve_until_closed(pipe, messages))


async def _serve_until_closed(pipe: Connection, messages: list[bytes]) -> None:
    async def stream(_request: bytes, _context: object) -> AsyncGenerator[bytes]:
        for message in messages:
            yield message

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(stream)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: method}),))
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    pipe.send(f"{HOST}:{port}")
    # The other end closes when all is done, or dies: either way there is something to read then.
    await asyncio.to_thread(pipe.poll, None)
    await server.stop(None)
