"""Runs the page's HTTP server: signals, health, graceful shutdown."""

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from services.domain.addresses import bare_host, host_port
from services.domain.errors import Unavailable
from services.rpc.health import HealthServicer
from services.rpc.server import health_served
from services.rpc.stopping import FINAL_STATUS_S, CallEnder, stop_signal
from services.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_log = structlog.get_logger()

# At once; each has a buffer of at most some hundred kB.
_MOST_CONNECTIONS = 1000
# Between two requests: longer than a person looks at a table.
_KEEP_ALIVE_S = 75


async def serve(settings: Settings, app: "ASGIApp", ender: CallEnder) -> None:
    """Serve `app` until SIGINT or SIGTERM, then let requests in flight finish.

    Calls that take longer than the grace time are ended by `ender`. Raises Unavailable if a port is taken.
    """
    stop = stop_signal()
    health = HealthServicer(())
    await health.start()
    with ExitStack() as sockets:
        listeners = listen(sockets, settings.host, settings.web_port)
        async with health_served(settings, health):
            server = _Server(_config(settings, app))
            serving = asyncio.create_task(server.serve(listeners))
            await health.ready()
            address = host_port(settings.host, settings.web_port)
            _log.info("service started", address=address, port=listeners[0].getsockname()[1])

            await stop.wait()
            _log.info("service stopping", grace_s=settings.shutdown_grace_s)
            await health.enter_graceful_shutdown()
            server.should_exit = True
            await asyncio.wait({serving}, timeout=settings.shutdown_grace_s)
            ender.end_calls()
            await serving


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _config(settings: Settings, app: "ASGIApp") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Any client could send the headers in which a proxy names its client.
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s + FINAL_STATUS_S),
    )


def listen(sockets: ExitStack, host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of `host`; all have the same port."""
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            bare_host(host) or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = listeners[0].getsockname()[1] if listeners else port
            listener = socket.create_server((address[0], chosen), family=family)
            # Accepted connections inherit this. asyncio sets it only for sockets with a named protocol, which
            # these lack; without it, the second part of an answer waits 40 ms for an acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listeners.append(sockets.enter_context(listener))
    except OSError:
        raise Unavailable(f"cannot listen on {host_port(host, port)}: is the port taken?") from None
    return listeners
