"""A call that streams requests ends with the status that the service returned, also under load."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from backcast_engine.errors import InvalidInput
from services.rpc.client_stream import response_of
from services.rpc.status import violations_of
from tests.rpc.serving import channel_to

# Without our handling, gRPC reports another status for some of a hundred such calls.
ROUNDS, AT_ONCE = 20, 10
PART = bytes(65_536)


class PassingOn(grpc.aio.StreamUnaryClientInterceptor):
    """Does nothing: calls are of another class where there is an interceptor."""

    async def intercept_stream_unary(self, continuation, client_call_details, request_iterator):
        return await continuation(client_call_details, request_iterator)


async def take(requests: AsyncIterator[bytes], context: object) -> bytes:
    count = 0
    async for part in requests:
        if part == b"bad":
            raise InvalidInput.of("columns", "is bad")
        count += 1
    return str(count).encode()


def add_to(server: grpc.aio.Server) -> None:
    handler: Any = grpc.stream_unary_rpc_method_handler(take, request_deserializer=bytes)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Taker", {"Take": handler}),))


@pytest.fixture(params=[(), (PassingOn(),)], ids=["plain", "intercepted"])
async def channel(request: pytest.FixtureRequest) -> AsyncIterator[grpc.aio.Channel]:
    async with channel_to(add_to, interceptors=request.param) as channel:
        yield channel


async def parts(first: bytes, count: int) -> AsyncIterator[bytes]:
    yield first
    for _ in range(count):
        yield PART


async def ends_of(
    channel: grpc.aio.Channel, first: bytes, count: int, timeout: float | None
) -> Counter[tuple[str, ...]]:
    """Return how many of many calls ended with which status, and the fields that it names."""
    take: Any = channel.stream_unary("/test.Taker/Take")
    ends: Counter[tuple[str, ...]] = Counter()

    async def call() -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await response_of(take(parts(first, count), timeout=timeout))
        fields = [violation.field for violation in violations_of(caught.value)]
        ends[caught.value.code().name, *fields] += 1

    for _ in range(ROUNDS):
        await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    return ends


async def test_a_response_comes_as_it_is(channel: grpc.aio.Channel) -> None:
    take: Any = channel.stream_unary("/test.Taker/Take")
    assert await response_of(take(parts(b"good", 3))) == b"4"


async def test_a_refusal_while_requests_are_being_sent_is_reported_as_a_refusal(
    channel: grpc.aio.Channel,
) -> None:
    ends = await ends_of(channel, b"bad", 64, None)
    assert ends == {("INVALID_ARGUMENT", "columns"): ROUNDS * AT_ONCE}


async def test_a_deadline_that_passes_while_requests_are_being_sent_is_reported_as_a_deadline(
    channel: grpc.aio.Channel,
) -> None:
    ends = await ends_of(channel, b"good", 10**9, 0.05)
    assert ends == {("DEADLINE_EXCEEDED",): ROUNDS * AT_ONCE}


async def test_a_call_that_its_caller_cancels_is_cancelled(channel: grpc.aio.Channel) -> None:
    call: Any = channel.stream_unary("/test.Taker/Take")(parts(b"good", 10**9))
    response = asyncio.create_task(response_of(call))
    await call.wait_for_connection()
    response.cancel()
    with pytest.raises(asyncio.CancelledError):
        await response
