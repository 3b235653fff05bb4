"""Pings on quiet connections are not taken for an attack."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.rpc.liveness import CHANNEL_LIVENESS, SERVER_LIVENESS

# As soon as the server allows. By itself it would close the connection after the third.
_PING_S = 1.1
_PINGS = 5


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel that pings as fast as it may, also while it has no call."""
    server = grpc.aio.server(options=SERVER_LIVENESS)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = {
        **dict(CHANNEL_LIVENESS),
        "grpc.keepalive_time_ms": int(_PING_S * 1000),
        "grpc.keepalive_permit_without_calls": 1,
    }
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=list(options.items())) as channel:
            yield channel
    finally:
        await server.stop(None)


async def test_a_quiet_stream_that_is_pinged_stays(channel: grpc.aio.Channel) -> None:
    call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    await anext(aiter(call))
    ended = asyncio.create_task(call.code())
    # There is no event for that nothing has happened.
    await asyncio.wait({ended}, timeout=_PINGS * _PING_S)
    assert not ended.done()
    call.cancel()
    await asyncio.wait({ended})


async def test_an_idle_connection_that_is_pinged_stays(channel: grpc.aio.Channel) -> None:
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    ready = grpc.ChannelConnectivity.READY
    assert channel.get_state() is ready
    gone = asyncio.create_task(channel.wait_for_state_change(ready))
    await asyncio.wait({gone}, timeout=_PINGS * _PING_S)
    assert not gone.done()
    gone.cancel()
    await asyncio.wait({gone})
