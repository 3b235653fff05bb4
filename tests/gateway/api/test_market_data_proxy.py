"""The gateway forwards calls between a client and a service, which records what it sees of each call."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from backcast.marketdata.v1 import market_data_service_pb2
from backcast_engine.errors import ErrorReason, InvalidInput
from services.gateway.api.market_data_proxy import add_proxy_to
from services.rpc.client_stream import response_of
from services.rpc.status import StatusInterceptor, violations_of
from tests.error_info import error_info
from tests.waiting import LIMIT_S

SERVICE = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
MESSAGE = bytes(100_000)
MANY = 1_000


def same(raw: bytes) -> bytes:
    return raw


class Upstream:
    """The service behind: what it is asked decides what it does."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()

    async def unary(self, request: bytes, context: Any) -> bytes:
        match request:
            case b"time":
                return repr(context.time_remaining()).encode()
            case b"bad":
                raise InvalidInput.of("symbol", "is bad")
            case b"bug":
                raise ValueError("secret")
            case b"hang":
                await self._hang()
            case b"late":
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        return request[::-1]

    async def stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        try:
            for _ in range(MANY):
                self.sent += 1
                yield MESSAGE
            if request == b"bad":
                raise InvalidInput.of("symbols", "are bad")
        finally:
            self.left.set()

    async def take(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        self.received = 0
        try:
            async for request in requests:
                self.received += 1
                self.arrived.set()
                if request == b"bad":
                    raise InvalidInput.of("columns", "are bad")
                if request == b"hang":
                    await self._hang()
        finally:
            self.left.set()
        return str(self.received).encode()

    async def _hang(self) -> None:
        self.arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


async def serve(add: Any) -> tuple[grpc.aio.Server, grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[StatusInterceptor()])
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, grpc.aio.insecure_channel(f"127.0.0.1:{port}")


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def channel(upstream: Upstream) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the gateway's side."""
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "GetCandles": grpc.unary_unary_rpc_method_handler(upstream.unary, same),
        "StreamCandles": grpc.unary_stream_rpc_method_handler(upstream.stream, same),
        "ImportCandles": grpc.stream_unary_rpc_method_handler(upstream.take, same),
    }
    handler = grpc.method_handlers_generic_handler(SERVICE.full_name, methods)
    behind, behind_channel = await serve(lambda server: server.add_generic_rpc_handlers((handler,)))
    front, front_channel = await serve(lambda server: add_proxy_to(server, SERVICE, behind_channel))
    async with behind_channel, front_channel:
        yield front_channel
    await front.stop(0)
    await behind.stop(0)


def get(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary(f"/{SERVICE.full_name}/GetCandles")


def stream(channel: grpc.aio.Channel) -> Any:
    return channel.unary_stream(f"/{SERVICE.full_name}/StreamCandles")


def take(channel: grpc.aio.Channel) -> Any:
    return channel.stream_unary(f"/{SERVICE.full_name}/ImportCandles")


async def test_messages_pass_as_they_are(channel: grpc.aio.Channel) -> None:
    assert await get(channel)(b"\xff\x00raw") == b"war\x00\xff"
    assert [len(message) async for message in stream(channel)(b"")] == [len(MESSAGE)] * MANY
    assert await take(channel)(iter([b"part"] * 7)) == b"7"
    assert await take(channel)(iter(())) == b"0"


async def test_a_deadline_is_passed_on(channel: grpc.aio.Channel, upstream: Upstream) -> None:
    assert await get(channel)(b"time") == b"None"
    # What is left of it, as far as it is not the other way round.
    assert 0 < float(await get(channel)(b"time", timeout=3_600)) < 3_660
    limit_s = 0.5
    # On a busy machine, a deadline can pass before the service behind has the call.
    while not upstream.arrived.is_set():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await get(channel)(b"hang", timeout=limit_s)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        limit_s *= 2
    async with asyncio.timeout(LIMIT_S):
        await upstream.left.wait()


async def test_the_error_of_a_deadline_says_what_to_do(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get(channel)(b"late")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "the deadline passed before the data service had answered: call again with a later one",
    )


async def test_a_status_comes_back_with_its_details(channel: grpc.aio.Channel) -> None:
    for call, field in (
        (get(channel)(b"bad"), "symbol"),
        (take(channel)(iter([b"bad"])), "columns"),
        (stream(channel)(b"bad"), "symbols"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [message async for message in call] if hasattr(call, "__aiter__") else await call
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in violations_of(caught.value)] == [field]


async def test_a_bug_behind_stays_internal_and_unknown_methods_unknown(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as bug:
        await get(channel)(b"bug")
    assert error_info(bug.value) == ("INTERNAL", ErrorReason.INTERNAL_ERROR, {})
    assert "secret" not in str(bug.value)
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await channel.unary_unary(f"/{SERVICE.full_name}/ListCryptos")(b"")
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_refusal_comes_at_once_while_the_client_still_sends(channel: grpc.aio.Channel) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"bad"
        await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await take(channel)(parts())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_refusal_while_the_client_sends_much_reaches_the_client_as_it_is(
    channel: grpc.aio.Channel,
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"bad"
        for _ in range(64):
            yield MESSAGE

    async def code() -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await response_of(take(channel)(parts()))
        return caught.value.code()

    # Without our handling, gRPC reports some of a hundred as an internal error.
    for _ in range(20):
        codes = await asyncio.gather(*(code() for _ in range(10)))
        assert set(codes) == {grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize("kind", ["get", "stream", "take"])
async def test_a_client_that_leaves_ends_the_call_behind(
    channel: grpc.aio.Channel, upstream: Upstream, kind: str
) -> None:
    if kind == "get":
        call = get(channel)(b"hang")
        await upstream.arrived.wait()
    elif kind == "stream":
        call = stream(channel)(b"")
        await call.read()
    else:
        call = take(channel)()
        await call.write(b"hang")
        await upstream.arrived.wait()
    call.cancel()
    async with asyncio.timeout(LIMIT_S):
        await upstream.left.wait()
    assert upstream.sent < MANY


async def test_a_slow_reader_slows_down_the_service(channel: grpc.aio.Channel, upstream: Upstream) -> None:
    call = stream(channel)(b"")
    await call.read()
    # For each call that is answered meanwhile, a message would pass if nothing slowed it down.
    for _ in range(MANY):
        await get(channel)(b"")
    assert upstream.sent < MANY / 2
    call.cancel()


async def test_a_proxy_without_a_service_behind_it_says_so() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nowhere:
        front, channel = await serve(lambda server: add_proxy_to(server, SERVICE, nowhere))
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await get(channel)(b"")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert caught.value.details() == "the data service does not answer"
        await front.stop(0)
