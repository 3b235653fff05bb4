"""Metrics on a port of their own, how late the event loop is, and traces where variables ask for them."""

import asyncio
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from backcast_engine.errors import InvalidInput
from services.domain.errors import Unavailable
from services.settings import Settings
from services.telemetry.observation import observed
from services.telemetry.tracing import span, traces
from tests.waiting import LIMIT_S, until

PROJECT = Path(__file__).parents[2]


async def test_metrics_are_served_while_the_service_is() -> None:
    with capture_logs() as lines:
        async with observed("gateway", Settings(gateway_metrics_port=0)):
            (line,) = lines
            url = f"http://127.0.0.1:{line['port']}/metrics"
            with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
                assert b"backcast_event_loop_lag_seconds_bucket" in answer.read()
            taken = Settings(data_metrics_port=line["port"])
            with pytest.raises(Unavailable, match="BACKCAST_DATA_METRICS_PORT"):
                async with observed("data", taken):
                    pass
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(urllib.request.urlopen, url)


async def test_without_a_port_nothing_is_served() -> None:
    with capture_logs() as lines:
        async with observed("gateway", Settings()):
            pass
    assert lines == []


async def test_what_blocks_the_event_loop_is_seen() -> None:
    def late() -> float:
        name = "backcast_event_loop_lag_seconds"
        most = REGISTRY.get_sample_value(f"{name}_bucket", {"le": "0.1"})
        return (REGISTRY.get_sample_value(f"{name}_count") or 0) - (most or 0)

    async with observed("gateway", Settings(gateway_metrics_port=0)):
        before = late()
        await asyncio.sleep(0)
        time.sleep(0.2)
        await until(lambda: late() > before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ],
)
async def test_what_traces_cannot_do_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=name):
        async with traces("gateway"):
            pass


TRACES = """
import asyncio, sys
from services.telemetry.tracing import span, traces
async def main():
    async with traces("gateway"):
        with span("work"):
            pass
asyncio.run(main())
print("opentelemetry" in sys.modules)
"""


@pytest.mark.parametrize(
    ("variables", "loaded", "spans"),
    [
        ({}, False, 0),
        ({"OTEL_TRACES_EXPORTER": "console"}, True, 1),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, False, 0),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False, 0),
    ],
)
def test_traces_are_loaded_only_where_they_are_asked_for(
    variables: dict[str, str], loaded: bool, spans: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TRACES],
        cwd=PROJECT,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == str(loaded)
    assert ran.stdout.count('"name": "work"') == spans
    assert ran.stdout.count('"service.name": "backcast-gateway"') == spans


async def test_a_collector_that_does_not_answer_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        # So long would the last spans be waited for.
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
        async with asyncio.timeout(LIMIT_S):
            async with traces("gateway"):
                with span("work"):
                    pass
