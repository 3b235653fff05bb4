"""`python -m tests.bench.responsiveness`: what stays quick while the services have all that they can do.

Under full load: how long health checks take, and which callbacks keep an event loop from others. And how long
gateway, compute and its workers go on when the only client of a sweep has left.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.bench import watched_loop
from tests.bench.machine import machine_lines
from tests.bench.timing import Spread
from tests.end_to_end.operations.service_metrics import SERVICES, ServiceMetrics, serve_metrics
from tests.end_to_end.operations.test_under_load import full_load, stack_of_many, sweep_request

_HEALTH_GOAL_S, _LEAVING_GOAL_S = 1.0, 1.0
_LEAVINGS = 5


async def bench(console: Console) -> None:
    """Measure once, and print it."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        logs = Path(folder, "logs")
        with pytest.MonkeyPatch.context() as environment:
            serve_metrics(environment)
            async with stack_of_many(Path(folder), _watched) as stack:
                health = Spread.of(await _health_checks(stack))
                held_up = [f"{service} {line}" for service in SERVICES for line in _held_up(logs, service)]
                metrics = ServiceMetrics(logs)
                leaving = Spread.of([await _leaving(stack, metrics) for _ in range(_LEAVINGS)])
    lines = (
        f"health checks under full load, milliseconds: {_milliseconds(health)} "
        f"(goal: each within {_HEALTH_GOAL_S:g} s: {_met(health.greatest < _HEALTH_GOAL_S)})",
        f"callbacks of more than {watched_loop.LIMIT_S * 1000:g} ms of processor time: {len(held_up)} "
        f"(goal: none: {_met(not held_up)})",
        *held_up,
        f"from the end of a sweep's only client until nobody works, milliseconds: {_milliseconds(leaving)} "
        f"(goal: within {_LEAVING_GOAL_S:g} s: {_met(leaving.greatest < _LEAVING_GOAL_S)})",
    )
    say(console, "\n".join((*lines, "", *machine_lines())))


def _watched(service: str) -> list[str]:
    return [sys.executable, watched_loop.__file__, "serve", service]


async def _health_checks(stack: LocalStack) -> list[float]:
    """Return how long each health check took while the load lasted, in seconds."""
    async with open_channel(stack.gateway_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        loading = asyncio.create_task(full_load(stack))
        taken_s = []
        while not loading.done():
            began_s = time.perf_counter()
            await health.Check(health_pb2.HealthCheckRequest())
            taken_s.append(time.perf_counter() - began_s)
        await loading
    return taken_s


def _held_up(logs: Path, service: str) -> list[str]:
    lines = (logs / f"{service}.log").read_text().splitlines()
    return [line for line in lines if watched_loop.SAYS in line]


async def _leaving(stack: LocalStack, metrics: ServiceMetrics) -> float:
    """Return how long the services work for a client that has left, in seconds."""
    async with open_channel(stack.gateway_address) as channel:
        call = BacktestServiceStub(channel).SweepBacktests(sweep_request(cache_mode=pb.CACHE_MODE_BYPASS))
        async for event in call:
            if event.HasField("progress"):
                break
        call.cancel()
        began_s = time.perf_counter()
        await metrics.until_nobody_works()
        return time.perf_counter() - began_s


def _milliseconds(spread: Spread) -> str:
    figures = (f"{1000 * value:.0f}" for value in (spread.least, spread.median, spread.greatest))
    return "{} min, {} median, {} max".format(*figures)


def _met(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    asyncio.run(bench(make_console()))
