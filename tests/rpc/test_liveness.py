"""Pings on quiet streams are not taken for an attack."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.rpc.liveness import CHANNEL_LIVENESS, SERVER_LIVENESS

# As soon as the server allows. By itself it would close the connection after the third.
_PING_S = 1.1
_PINGS = 5


async def test_a_quiet_stream_is_pinged_and_stays() -> None:
    server = grpc.aio.server(options=SERVER_LIVENESS)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = {**dict(CHANNEL_LIVENESS), "grpc.keepalive_time_ms": int(_PING_S * 1000)}
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=list(options.items())) as channel:
            call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            await anext(aiter(call))
            ended = asyncio.create_task(call.code())
            # No event tells that nothing has happened.
            await asyncio.wait({ended}, timeout=_PINGS * _PING_S)
            assert not ended.done()
            call.cancel()
            await asyncio.wait({ended})
    finally:
        await server.stop(None)
