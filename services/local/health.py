"""Waits for a service to be ready."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.shared.rpc_channel import open_channel

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.2
_CALL_LIMIT_S = 2.0


async def is_serving(address: str) -> bool:
    """Return whether the server at `address` says that it is SERVING."""
    # A channel that did not connect waits a second before it tries again; a new one does not.
    async with open_channel(address) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_CALL_LIMIT_S
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def wait_until_serving(address: str) -> None:
    """Return when the server at `address` says that it is SERVING; the caller sets the limit."""
    pause = _FIRST_PAUSE_S
    while not await is_serving(address):
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
