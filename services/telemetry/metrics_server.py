"""Serves the process's metrics to Prometheus, on a separate port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import start_http_server

from services.domain.errors import Unavailable

_log = structlog.get_logger()


@asynccontextmanager
async def metrics_served(host: str, port: int, variable: str) -> AsyncIterator[None]:
    """Answer GET /metrics at `host` and `port` (0: any free port, which is logged) while the context lasts.

    Raises Unavailable, naming the `variable` that sets it, if the port is taken.
    """
    try:
        # In a thread, so that it answers even while something blocks the event loop.
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise Unavailable(f"cannot serve metrics on {host}:{port}, set by {variable}: {error}") from None
    _log.info("serving metrics", host=host, port=server.server_port)
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)
