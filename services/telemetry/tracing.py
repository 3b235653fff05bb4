"""OpenTelemetry traces, switched on by its standard variables; otherwise OpenTelemetry is not imported."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from backcast_engine.errors import InvalidInput
from services.telemetry.run_id import current_run_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

RUN_ID_ATTRIBUTE = "backcast.run_id"

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
# OpenTelemetry's conventions count these as errors of the server, others as errors of the caller.
_SERVER_ERRORS = {
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
}

_LAST_SPANS_LIMIT_S = 2.0

_tracer: "Tracer | None" = None


@asynccontextmanager
async def traces(service: str) -> AsyncIterator[None]:
    """Send this process's spans while the context lasts, if the OTEL_… variables say so.

    Raises InvalidInput if a variable has an unsupported value.
    """
    global _tracer  # noqa: PLW0603  # a process has one, as it has one log
    exporter = _wanted_exporter()
    if exporter is None:
        yield
        return

    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    named = OTELResourceDetector().detect().attributes
    resource = Resource.create({} if SERVICE_NAME in named else {SERVICE_NAME: f"backcast-{service}"})
    # Otherwise every attempt to reach an absent collector is logged.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_span_processor(exporter))
    _tracer = provider.get_tracer("backcast")
    try:
        yield
    finally:
        _tracer = None
        # Sends the remaining spans. With a long timeout, an absent collector would delay the service's end.
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, _LAST_SPANS_LIMIT_S)


@contextmanager
def span(name: str, **attributes: str | int | float) -> Iterator[None]:
    """Trace the body as a part of the current call."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(name, attributes={**attributes, **_run_attribute()}):
        yield


def past_span(name: str, seconds: float, **attributes: str | int | float) -> None:
    """Trace the work of another process for the current call, which took `seconds` and ended now."""
    if _tracer is not None:
        end_ns = time.time_ns()
        done = _tracer.start_span(
            name, start_time=end_ns - int(seconds * 1e9), attributes={**attributes, **_run_attribute()}
        )
        done.end(end_ns)


def trace_metadata() -> Iterable[tuple[str, str]]:
    """Return the metadata that makes another service continue this trace."""
    if _tracer is None:
        return ()
    from opentelemetry import propagate  # noqa: PLC0415

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.items()


class CallSpan:
    """The span of a call that this process serves; it continues the trace of the call's metadata."""

    def __init__(self, method: str, metadata: Mapping[str, Any]) -> None:
        self._span: Span | None = None
        if _tracer is None:
            return
        from opentelemetry import context, propagate  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415

        service, _, name = method.rpartition("/")
        self._span = _tracer.start_span(
            method,
            context=propagate.extract(metadata),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
        )
        # Never detached, because the task that serves a call ends with it.
        context.attach(set_span_in_context(self._span))

    def end(self, code: str, code_number: int) -> None:
        """End the span with the name and number of the call's status."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._span.set_attribute("rpc.grpc.status_code", code_number)
        for name, value in _run_attribute().items():
            self._span.set_attribute(name, value)
        if code in _SERVER_ERRORS:
            self._span.set_status(StatusCode.ERROR, code)
        self._span.end()


def _run_attribute() -> dict[str, str]:
    run_id = current_run_id.get()
    return {RUN_ID_ATTRIBUTE: run_id} if run_id else {}


def _wanted_exporter() -> str | None:
    """Return the exporter that the environment asks for; None if it asks for none."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return None
    if not exporter:
        exporter = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else ""
    if exporter not in ("", "otlp", "console"):
        raise InvalidInput.of("OTEL_TRACES_EXPORTER", "must be otlp, console or none")
    for name in _PROTOCOLS if exporter == "otlp" else ():
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            raise InvalidInput.of(
                name, "must be http/protobuf: spans are sent over HTTP, mostly to port 4318"
            )
    return exporter or None


def _span_processor(exporter: str) -> "SpanProcessor":
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    if exporter == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter())
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return BatchSpanProcessor(OTLPSpanExporter())
