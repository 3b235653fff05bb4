"""Runs a gRPC server: health, reflection, signals, graceful shutdown."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_channelz.v1 import channelz, channelz_pb2
from grpc_health.v1 import health_pb2_grpc

from services.domain.addresses import host_port
from services.domain.errors import Unavailable
from services.rpc.access import Access
from services.rpc.call_observer import WatchInterceptor
from services.rpc.health import HEALTH_NAME, HealthServicer
from services.rpc.liveness import SERVER_LIVENESS
from services.rpc.reflection import add_reflection_to
from services.rpc.status import StatusInterceptor
from services.rpc.stopping import FINAL_STATUS_S, CallEnder, StoppingInterceptor, stop_signal
from services.rpc.version import UnknownMethodInterceptor
from services.settings import Settings

_log = structlog.get_logger()

CHANNELZ_NAME = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name

# At once, on their own port.
_MOST_PROBES = 100


@dataclass(frozen=True, slots=True)
class ServedService:
    """A gRPC service: its full name, and the function that adds its handler to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], Any]


async def serve(
    settings: Settings, name: str, port: int, services: Sequence[ServedService], access: Access
) -> None:
    """Serve as the service called `name` at `port` until SIGINT or SIGTERM, then let calls in flight finish.

    Calls that take longer than the grace time end with Unavailable. New calls are refused: gRPC sends
    clients a GOAWAY, and ends a call that arrives at the same moment with CANCELLED. Raises
    Unavailable if a port is taken.
    """
    stop = stop_signal()
    ender = CallEnder(name)
    server = grpc.aio.server(
        interceptors=[
            UnknownMethodInterceptor(),
            WatchInterceptor(),
            StatusInterceptor(),
            *access.guards,
            StoppingInterceptor(ender),
        ],
        options=_options(settings),
    )
    for service in services:
        service.add_to(server)
    names = [service.name for service in services]
    health_servicer = HealthServicer(names)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    channelz.add_channelz_servicer(server)
    if settings.reflection:
        add_reflection_to(server, (*names, HEALTH_NAME, CHANNELZ_NAME))
    port = _listen(server, address := host_port(settings.host, port), access.credentials)
    await health_servicer.start()
    async with health_served(settings, health_servicer):
        await server.start()
        await health_servicer.ready()
        _log.info("service started", address=address, port=port)

        await stop.wait()
        _log.info("service stopping", grace_s=settings.shutdown_grace_s)
        await health_servicer.enter_graceful_shutdown()
        stopped = asyncio.create_task(server.stop(settings.shutdown_grace_s + FINAL_STATUS_S))
        await asyncio.wait({stopped}, timeout=settings.shutdown_grace_s)
        ender.end_calls()
        await stopped


@asynccontextmanager
async def health_served(settings: Settings, servicer: HealthServicer) -> AsyncIterator[None]:
    """Serve health checks on a separate plaintext port, if it is set, for probes without TLS."""
    if settings.health_port is None:
        yield
        return
    server = grpc.aio.server(
        interceptors=[StatusInterceptor()],
        options=[("grpc.so_reuseport", 0), *SERVER_LIVENESS],
        maximum_concurrent_rpcs=_MOST_PROBES,
    )
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    _listen(server, host_port(settings.host, settings.health_port), None)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError:
        raise Unavailable(f"cannot listen on {address}: is the port taken?") from None


def _options(settings: Settings) -> list[tuple[str, int]]:
    # Without so_reuseport two servers on one port would share its calls instead of the second failing.
    options = [("grpc.so_reuseport", 0), ("grpc.enable_channelz", 1), *SERVER_LIVENESS]
    if settings.connection_max_age_s:
        # Streams on a connection that is too old go on for as long as they take; new calls get a new one.
        options.append(("grpc.max_connection_age_ms", int(settings.connection_max_age_s * 1000)))
    return options
