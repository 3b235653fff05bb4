"""Client of a server's health check.

Apart from the stack, which waits for it: `backcast health`, which probes run all the time, imports only this.
"""

import asyncio
import ssl
from pathlib import Path
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.rpc.channel import open_channel

_CALL_LIMIT_S = 2.0


async def is_serving(address: str, credentials: grpc.ChannelCredentials | None = None) -> bool:
    """Return whether the server at `address` reports SERVING; see open_channel."""
    # A new channel each time: one that could not connect waits a second before it tries again.
    async with open_channel(address, credentials) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_CALL_LIMIT_S
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def is_page_served(url: str, ca_file: Path | None) -> bool:
    """Return whether the page's process at `url` says that it serves; it may have a certificate of the CA."""
    return await asyncio.to_thread(_answers, f"{url}/healthz", ca_file)


def _answers(url: str, ca_file: Path | None) -> bool:
    context = ssl.create_default_context(cafile=ca_file)
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=_CALL_LIMIT_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
