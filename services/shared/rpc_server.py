"""A gRPC server's life: health, reflection, signals, and an orderly end."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.shared.access import Access
from services.shared.addresses import host_port
from services.shared.errors import Unavailable
from services.shared.rpc_status import StatusInterceptor
from services.shared.settings import Settings

_log = structlog.get_logger()

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# At once, on the port that is for them.
_MOST_PROBES = 100


@dataclass(frozen=True, slots=True)
class ServedService:
    """A gRPC service: its full name, and what adds its handler to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], Any]


async def serve(settings: Settings, port: int, services: Sequence[ServedService], access: Access) -> None:
    """Serve at `port` until SIGINT or SIGTERM, then let streams in flight finish.

    Raises Unavailable where a port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    # Without so_reuseport two servers on one port would share its calls instead of the second failing.
    server = grpc.aio.server(
        interceptors=[StatusInterceptor(), *access.guards], options=[("grpc.so_reuseport", 0)]
    )
    for service in services:
        service.add_to(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [service.name for service in services]
    if settings.reflection:
        reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _listen(server, address := host_port(settings.host, port), access.credentials)
    servers = [server]
    if settings.health_port is not None:
        servers.append(_health_server(settings, settings.health_port, health_servicer))
    for each in servers:
        await each.start()
    for name in (*names, ""):
        await health_servicer.set(name, SERVING)
    _log.info("serving", address=address, port=port)

    await stop.wait()
    _log.info("stopping", grace_s=settings.shutdown_grace_s)
    await health_servicer.enter_graceful_shutdown()
    await asyncio.gather(*(each.stop(settings.shutdown_grace_s) for each in servers))


def _health_server(settings: Settings, port: int, servicer: health.aio.HealthServicer) -> grpc.aio.Server:
    """Return a server of health alone, which strangers may know: in plaintext, for probes without TLS."""
    server = grpc.aio.server(
        interceptors=[StatusInterceptor()],
        options=[("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=_MOST_PROBES,
    )
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    _listen(server, host_port(settings.host, port), None)
    return server


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise Unavailable(f"cannot listen on {address}: is the port taken?") from None
