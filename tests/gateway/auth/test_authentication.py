"""The interceptor on a server of its own: handlers of every kind know who calls."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from services.gateway.auth.authentication import AuthenticationInterceptor
from services.gateway.auth.clients import Client, Right, current_client
from services.gateway.auth.token_file import TokenBook
from services.gateway.auth.tokens import Tokens, hash_of
from services.rpc.status import StatusInterceptor

# One that needs the right `run`.
SERVICE = "backcast.gateway.v1.BacktestService"
CLIENTS = {name: Client(name, frozenset({Right.RUN})) for name in ("ann", "bob")}


def same(raw: bytes) -> bytes:
    return raw


async def who(request: Any, context: object) -> bytes:
    return current_client.get().name.encode()


async def who_each_time(request: Any, context: object) -> AsyncIterator[bytes]:
    for _ in range(3):
        yield await who(request, context)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    book = TokenBook(Tokens([(bytes.fromhex(hash_of(name)), client) for name, client in CLIENTS.items()]))
    server = grpc.aio.server(interceptors=[StatusInterceptor(), AuthenticationInterceptor(book)])
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "unary_unary": grpc.unary_unary_rpc_method_handler(who, same),
        "stream_unary": grpc.stream_unary_rpc_method_handler(who, same),
        "unary_stream": grpc.unary_stream_rpc_method_handler(who_each_time, same),
        "stream_stream": grpc.stream_stream_rpc_method_handler(who_each_time, same),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


@pytest.mark.parametrize("kind", ["unary_unary", "stream_unary", "unary_stream", "stream_stream"])
async def test_a_handler_knows_its_client(channel: grpc.aio.Channel, kind: str) -> None:
    call = getattr(channel, kind)(f"/{SERVICE}/{kind}")
    request: Any = iter([b""]) if kind.startswith("stream") else b""

    async def answers(name: str) -> list[bytes]:
        answer = call(request, metadata=(("authorization", f"bearer {name}"),))
        return [part async for part in answer] if kind.endswith("stream") else [await answer]

    for name in CLIENTS:
        assert set(await answers(name)) == {name.encode()}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers("eve")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_what_is_not_there_is_not_hidden(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/{SERVICE}/nothing")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
