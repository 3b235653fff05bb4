"""Reads of streams: what they return, and that reads which are cancelled leave no memory behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from services.rpc.resumed_stream import resumed_stream
from services.rpc.server_stream import next_message
from tests.allocated import allocated_bytes, needs_allocated_bytes
from tests.rpc.serving import channel_to
from tests.waiting import LIMIT_S, until

# Short: gRPC's buffers, which come and go, take megabytes where messages are long. A read that is cancelled
# loses all of the buffer that its message came in: so many reads lost 7 MB.
MESSAGE = bytes(300)
CANCELLED, READS_BEFORE = 400, 3
MOST_LEFT_BYTES = 2 * 2**20


class Sender:
    """Sends what is asked for: a few messages, messages without end, or nothing."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()

    async def send(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.arrived.set()
        try:
            for number in range(3):
                if request == b"few":
                    yield str(number).encode()
            while request == b"endless":
                yield MESSAGE
            if request == b"silent":
                await asyncio.Event().wait()
            if request == b"bad":
                await context.abort(grpc.StatusCode.NOT_FOUND, "it is not there")
        finally:
            self.left.set()

    def add_to(self, server: grpc.aio.Server) -> None:
        handler: Any = grpc.unary_stream_rpc_method_handler(self.send, request_deserializer=bytes)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Sender", {"Send": handler}),)
        )


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
async def send(sender: Sender) -> AsyncIterator[Any]:
    async with channel_to(sender.add_to) as channel:
        yield channel.unary_stream("/test.Sender/Send")


async def test_messages_come_in_order_and_then_the_end(send: Any) -> None:
    call = send(b"few")
    assert [await next_message(call) for _ in range(4)] == [b"0", b"1", b"2", grpc.aio.EOF]
    assert await call.code() is grpc.StatusCode.OK


async def test_a_read_fails_as_the_service_ended_the_call(send: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="it is not there"):
        await next_message(send(b"bad"))


async def test_a_reader_that_is_cancelled_cancels_the_call(send: Any, sender: Sender) -> None:
    call = send(b"silent")
    reading = asyncio.create_task(next_message(call))
    async with asyncio.timeout(LIMIT_S):
        await sender.arrived.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await sender.left.wait()
    assert call.cancelled()


async def read_and_leave(send: Any) -> None:
    """Read some messages, and be cancelled while waiting for another one."""
    missing, read = ["everything"], 0

    async def go_on() -> None:
        nonlocal read
        async with aclosing(resumed_stream("sender", missing, lambda: send(b"endless"))) as messages:
            async for _ in messages:
                read += 1

    reading = asyncio.create_task(go_on())
    while read < READS_BEFORE:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@needs_allocated_bytes
async def test_cancelled_reads_leave_no_messages_in_memory(send: Any) -> None:
    for _ in range(CANCELLED // 10):
        await read_and_leave(send)
    before = allocated_bytes()
    for _ in range(CANCELLED):
        await read_and_leave(send)
    # Calls that have just been cancelled may still have messages on their way.
    await until(lambda: allocated_bytes() - before < MOST_LEFT_BYTES, limit_s=10)
