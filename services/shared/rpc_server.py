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

from services.shared.errors import Unavailable
from services.shared.rpc_liveness import SERVER_LIVENESS
from services.shared.rpc_status import StatusInterceptor
from services.shared.rpc_stopping import StoppingInterceptor
from services.shared.settings import Settings

_log = structlog.get_logger()

# What calls that did not finish within the grace time get to say why.
_LAST_WORDS_S = 1.0

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class ServedService:
    """A gRPC service: its full name, and what adds its handler to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], Any]


async def serve(settings: Settings, port: int, services: Sequence[ServedService]) -> None:
    """Serve at `port` until SIGINT or SIGTERM, then let calls in flight finish.

    Those that take longer than the grace time end with Unavailable. New ones find nobody: clients are told to
    go elsewhere; one that was on its way just then is CANCELLED, by gRPC, which asks nobody.
    Raises Unavailable where the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    # Without so_reuseport two servers on one port would share its calls instead of the second failing.
    stopping = StoppingInterceptor()
    server = grpc.aio.server(
        interceptors=[StatusInterceptor(), stopping], options=[("grpc.so_reuseport", 0), *SERVER_LIVENESS]
    )
    for service in services:
        service.add_to(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [service.name for service in services]
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    address = f"{settings.host}:{port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise Unavailable(f"cannot listen on {address}: is the port taken?") from None
    await server.start()
    for name in (*names, ""):
        await health_servicer.set(name, SERVING)
    _log.info("serving", address=address, port=port)

    await stop.wait()
    _log.info("stopping", grace_s=settings.shutdown_grace_s)
    await health_servicer.enter_graceful_shutdown()
    stopped = asyncio.create_task(server.stop(settings.shutdown_grace_s + _LAST_WORDS_S))
    await asyncio.wait({stopped}, timeout=settings.shutdown_grace_s)
    stopping.end_calls()
    await stopped
