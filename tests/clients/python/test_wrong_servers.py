"""Servers that the Python client cannot work with: each is named by one sentence that says what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

import backcast
from backcast.errors import BackcastError, ConnectionFailedError, VersionError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.versions import client_version
from services.rpc.version import UnknownMethodInterceptor

CALLS: dict[str, Callable[["backcast.aio.Client"], Awaitable[Any]]] = {
    "run": lambda client: client.run(backcast.Rsi()),
    "rules": lambda client: client.run(backcast.rules("close > 1")),
    "watch": lambda client: client.watch("nightly"),
    "sweep": lambda client: client.sweep(backcast.Rsi(), period=[7, 14]),
    "candles": lambda client: client.candles("AUSDT"),
    "cryptos": lambda client: client.cryptos(),
    "strategies": lambda client: client.strategies(),
    "runs": lambda client: client.runs(),
    "cancel": lambda client: client.cancel("nightly"),
}


@asynccontextmanager
async def serving(*handlers: Any, interceptors: Any = ()) -> AsyncIterator[str]:
    server = grpc.aio.server(interceptors=interceptors)
    server.add_generic_rpc_handlers(handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def gateway_of(version: str | None) -> Any:
    """A gateway that starts every run, and sends this version."""

    async def run(request: pb.RunBacktestsRequest, context: Any) -> AsyncIterator[pb.RunBacktestsResponse]:
        if version:
            await context.send_initial_metadata((("backcast-version", version),))
        event = pb.RunBacktestsResponse(sequence=1)
        event.started.run_id = "nightly"
        yield event

    async def sweep(
        request: pb.SweepBacktestsRequest, context: Any
    ) -> AsyncIterator[pb.SweepBacktestsResponse]:
        async for _ in run(pb.RunBacktestsRequest(), context):
            event = pb.SweepBacktestsResponse()
            event.started.run_id = "nightly"
            yield event

    return grpc.method_handlers_generic_handler(
        "backcast.gateway.v1.BacktestService",
        {
            "RunBacktests": grpc.unary_stream_rpc_method_handler(
                run, pb.RunBacktestsRequest.FromString, pb.RunBacktestsResponse.SerializeToString
            ),
            "SweepBacktests": grpc.unary_stream_rpc_method_handler(
                sweep, pb.SweepBacktestsRequest.FromString, pb.SweepBacktestsResponse.SerializeToString
            ),
        },
    )


async def error_of(address: str, call: str) -> BackcastError:
    async with backcast.aio.connect(address, frames="numpy") as client:
        with pytest.raises(BackcastError) as raised:
            await CALLS[call](client)
    return raised.value


@pytest.mark.parametrize("call", CALLS)
async def test_a_server_that_is_no_backcast_is_named_by_every_call(call: str) -> None:
    async with serving() as address:
        error = await error_of(address, call)
    assert isinstance(error, VersionError)
    assert f"the server at {address} is no Backcast" in str(error)


@pytest.mark.parametrize("call", CALLS)
async def test_a_server_that_speaks_http_alone_is_named_by_every_call(call: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        error = await error_of(f"{host}:{port}", call)
    assert isinstance(error, ConnectionFailedError)
    assert f"{host}:{port} is no gRPC server" in str(error)


@pytest.mark.parametrize("call", CALLS)
async def test_without_a_server_every_call_says_so(call: str) -> None:
    error = await error_of("127.0.0.1:9", call)
    assert isinstance(error, ConnectionFailedError)
    assert str(error).startswith("no Backcast answers at 127.0.0.1:9: is it running there")


@pytest.mark.parametrize("call", ["run", "sweep"])
@pytest.mark.parametrize(("version", "wording"), [(None, "older than 0.2"), ("0.1.9", "of version 0.1.9")])
async def test_a_server_that_is_too_old_is_to_be_updated(
    call: str, version: str | None, wording: str
) -> None:
    async with serving(gateway_of(version)) as address:
        error = await error_of(address, call)
    assert isinstance(error, VersionError)
    assert f"{wording}, and this client ({client_version()}) needs 0.2 or newer: update the server" in str(
        error
    )


@pytest.mark.parametrize("version", ["0.2.0.dev0", "0.2.7", "0.10.0", "1.0.0"])
async def test_a_newer_server_is_as_good_as_one_of_the_same_version(version: str) -> None:
    async with (
        serving(gateway_of(version)) as address,
        backcast.aio.connect(address, frames="numpy") as client,
    ):
        assert (await client.run(backcast.Rsi())).id == "nightly"


@pytest.mark.parametrize(
    ("server", "advice"), [("0.1.0", "update the server"), ("0.10.0", "update the client")]
)
async def test_where_the_server_lacks_a_call_the_older_one_is_to_be_updated(
    monkeypatch: pytest.MonkeyPatch, server: str, advice: str
) -> None:
    monkeypatch.setattr("services.rpc.version.VERSION_METADATA", ("backcast-version", server))
    async with serving(interceptors=[UnknownMethodInterceptor()]) as address:
        error = await error_of(address, "cryptos")
    assert isinstance(error, VersionError)
    assert f"is of version {server} and lacks this call" in str(error)
    assert advice in str(error)


def test_a_client_that_is_closed_says_so() -> None:
    client = backcast.connect("127.0.0.1:9", frames="numpy")
    client.close()
    with pytest.raises(BackcastError, match="is closed"):
        client.cryptos()
    with pytest.raises(BackcastError, match="is closed"):
        client.run(backcast.Rsi())


async def test_a_client_for_asyncio_that_is_closed_says_so() -> None:
    client = backcast.aio.connect("127.0.0.1:9", frames="numpy")
    await client.close()
    for call in CALLS.values():
        with pytest.raises(BackcastError, match="is closed"):
            await call(client)


def test_a_client_for_asyncio_may_be_made_before_its_event_loop_and_is_of_one_loop_only() -> None:
    client = backcast.aio.connect("127.0.0.1:9", frames="numpy")

    async def call() -> None:
        await client.cryptos()

    async def close() -> None:
        await client.close()

    with asyncio.Runner() as first:
        with pytest.raises(ConnectionFailedError, match="no Backcast answers"):
            first.run(call())
        with (
            asyncio.Runner() as second,
            pytest.raises(ConnectionFailedError, match="in another event loop: connect once in each"),
        ):
            second.run(call())
        first.run(close())
