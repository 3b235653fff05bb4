"""Runs the page's HTTP server: signals, graceful shutdown."""

import asyncio
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn

from services.domain.addresses import host_port
from services.domain.errors import Unavailable
from services.settings import Settings

_log = structlog.get_logger()

# Seconds for sending the error to calls that did not finish within the grace time.
_LAST_WORDS_S = 1.0


async def serve(settings: Settings, app: Any) -> None:
    """Serve `app` until SIGINT or SIGTERM, then let requests in flight finish.

    Raises Unavailable if the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    listener = _listen(settings.host, settings.web_port)
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=settings.tls_cert_file,
            ssl_keyfile=settings.tls_key_file,
            timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_s + _LAST_WORDS_S),
        )
    )
    serving = asyncio.create_task(server.serve([listener]))
    address = host_port(settings.host, settings.web_port)
    _log.info("serving", address=address, port=listener.getsockname()[1])
    await stop.wait()
    _log.info("stopping", grace_s=settings.shutdown_grace_s)
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError:
        raise Unavailable(f"cannot listen on {host_port(host, port)}: is the port taken?") from None
