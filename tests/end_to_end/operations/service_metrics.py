"""What services count: the metrics that Prometheus gets, found by the services' logs."""

import asyncio
import json
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import until

SERVICES = ("gateway", "compute", "data")


def serve_metrics(environment: pytest.MonkeyPatch) -> None:
    """Have the services that are started from now on serve metrics, each on a free port."""
    for service in SERVICES:
        environment.setenv(f"BACKCAST_{service.upper()}_METRICS_PORT", "0")


class ServiceMetrics:
    """Reads the metrics of a stack's services; `logs` is the folder of their logs."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    async def all_of(self, service: str) -> list[Metric]:
        """Return what Prometheus gets from a service."""
        lines = (self._logs / f"{service}.log").read_text().splitlines()
        (line,) = (json.loads(line) for line in lines if '"metrics endpoint started"' in line)
        url = f"http://127.0.0.1:{line['port']}/metrics"
        with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
            return list(text_string_to_metric_families(answer.read().decode()))

    async def value(self, service: str, sample_name: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have these labels."""
        return sum(
            sample.value
            for metric in await self.all_of(service)
            for sample in metric.samples
            if sample.name == sample_name and labels.items() <= sample.labels.items()
        )

    async def backtests(self) -> float:
        """Return how many backtests compute has come to the end of."""
        return await self.value("compute", "backcast_backtests_total")

    async def until_nobody_works(self) -> None:
        """Wait until gateway and compute serve no call and no worker is at a task."""

        async def nobody_works() -> bool:
            # A call at the gateway ends before compute's, and that before the worker's task.
            for service, name in (
                ("gateway", "backcast_rpcs_in_progress"),
                ("compute", "backcast_rpcs_in_progress"),
                ("compute", "backcast_compute_calls_waiting"),
                ("compute", "backcast_workers_busy"),
            ):
                if await self.value(service, name):
                    return False
            return True

        await until(nobody_works)
