"""Observation of a running service: metrics and traces, if the settings ask for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import structlog
from prometheus_client import start_http_server

from services.domain.errors import Unavailable
from services.settings import Settings
from services.telemetry.metrics import EVENT_LOOP_LAG
from services.telemetry.tracing import traces

_log = structlog.get_logger()

# How often the lag of the event loop is measured.
_LAG_EVERY_S = 0.02


@asynccontextmanager
async def observed(service: str, settings: Settings) -> AsyncIterator[None]:
    """Serve the metrics and send the traces of the service called `service` while the context lasts.

    Raises Unavailable if the port for its metrics is taken, InvalidInput if an OTEL_… variable is invalid.
    """
    port: int | None = getattr(settings, f"{service}_metrics_port")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(traces(service))
        if port is not None:
            variable = f"BACKCAST_{service.upper()}_METRICS_PORT"
            await stack.enter_async_context(_metrics_served(settings.metrics_host, port, variable))
            await stack.enter_async_context(_event_loop_lag())
        yield


@asynccontextmanager
async def _metrics_served(host: str, port: int, variable: str) -> AsyncIterator[None]:
    """Answer GET /metrics at `host` and `port` (0: any free port, which is logged) while the context lasts.

    Raises Unavailable, naming the `variable` that sets it, if the port is taken.
    """
    try:
        # In a thread, so that it answers even while something blocks the event loop.
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise Unavailable(f"cannot serve metrics on {host}:{port}, set by {variable}: {error}") from None
    _log.info("metrics endpoint started", host=host, port=server.server_port)
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)


@asynccontextmanager
async def _event_loop_lag() -> AsyncIterator[None]:
    """Record the lag of the event loop while the context lasts."""
    measuring = asyncio.create_task(_measure())
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


async def _measure() -> None:
    now = asyncio.get_running_loop().time
    while True:
        due = now() + _LAG_EVERY_S
        await asyncio.sleep(_LAG_EVERY_S)
        EVENT_LOOP_LAG.observe(max(0.0, now() - due))
