"""Observation of a running service: metrics and traces, if the settings ask for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.settings import Settings
from services.telemetry.event_loop_lag import event_loop_lag
from services.telemetry.metrics_server import metrics_served
from services.telemetry.tracing import traces


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
            await stack.enter_async_context(metrics_served(settings.metrics_host, port, variable))
            await stack.enter_async_context(event_loop_lag())
        yield
