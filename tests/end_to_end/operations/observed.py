"""A stack that shows all it can: metrics of the three services, their logs, and their traces."""

import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.local.stack import LocalStack, StackSettings
from tests.end_to_end.operations.service_metrics import ServiceMetrics, serve_metrics
from tests.waiting import LIMIT_S


@dataclass
class Collector:
    """An OTLP/HTTP receiver: the spans that came, each with the name of its service."""

    address: str
    spans: list[tuple[str, Span]] = field(default_factory=list, repr=False)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, names: Iterable[str], run_id: str) -> list[tuple[str, Span]]:
        """Return the spans of a run when there are some of all these names."""
        wanted = set(names)

        def of_run() -> list[tuple[str, Span]]:
            return [each for each in self.spans if attribute(each[1], "backcast.run_id") == run_id]

        with self.came:
            self.came.wait_for(lambda: wanted <= {span.name for _, span in of_run()}, timeout=LIMIT_S)
            return of_run()


def attribute(span: Span, name: str) -> str | None:
    """Return the text that a span's attribute is, None where it has none."""
    return next((each.value.string_value for each in span.attributes if each.key == name), None)


@contextmanager
def collector() -> Iterator[Collector]:
    """Receive spans while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server looks for
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            with received.came:
                for resource in request.resource_spans:
                    (service,) = (
                        each.value.string_value
                        for each in resource.resource.attributes
                        if each.key == "service.name"
                    )
                    received.spans += [
                        (service, span) for scope in resource.scope_spans for span in scope.spans
                    ]
                received.came.notify_all()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Observed:
    """A stack of its own, where its logs are, what receives its spans, and what it counts."""

    stack: LocalStack
    logs: Path
    collector: Collector
    metrics: ServiceMetrics

    def lines(self, service: str) -> list[dict[str, Any]]:
        """Return the lines of a service's log, all of which are JSON."""
        return [json.loads(line) for line in (self.logs / f"{service}.log").read_text().splitlines()]


@asynccontextmanager
async def observed_stack(stack: LocalStack, folder: Path) -> AsyncIterator[Observed]:
    """Start three services that show all they can beside `stack`, on its database and cache."""
    settings = StackSettings(
        folder, 0, 0, 0, database_url=stack.database_url, redis_url=stack.redis_url, quiet=True
    )
    with collector() as receiver:
        async with AsyncExitStack() as started:
            with pytest.MonkeyPatch.context() as environment:
                serve_metrics(environment)
                environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
                environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
                other = await started.enter_async_context(LocalStack(settings))
            logs = folder / "logs"
            yield Observed(other, logs, receiver, ServiceMetrics(logs))
