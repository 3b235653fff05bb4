"""Unary calls under way when their deadline passes or their process stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import process_at
from tests.known_runs import known_runs
from tests.waiting import until
from tests.web.clients import Answer, Page
from tests.web.conftest import SYMBOLS

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

REQUEST = {"symbol": SYMBOLS[0], "cacheMode": "CACHE_MODE_BYPASS", "spec": {"strategy": {"rsi": {}}}}
Health = health_pb2.HealthCheckResponse


@asynccontextmanager
async def suspended_compute(stack: LocalStack) -> AsyncIterator[None]:
    compute = process_at(stack.compute_address)
    compute.suspend()
    try:
        yield
    finally:
        compute.resume()


async def call_under_way(page: Page, runs: "RunServiceAsyncStub", **headers: str) -> "asyncio.Task[Answer]":
    """Call for a backtest, and return when the gateway has the run, or the call has ended."""

    async def known() -> set[str]:
        return {each.run_id for each in await known_runs(runs)}

    async def is_under_way() -> bool:
        # The gateway may forget some of the others meanwhile.
        return call.done() or bool(await known() - before)

    before = await known()
    call = asyncio.create_task(page.post("RunBacktest", REQUEST, **headers))
    await until(is_under_way)
    return call


@asynccontextmanager
async def held_call(
    stack: LocalStack, page: Page, runs: "RunServiceAsyncStub"
) -> "AsyncIterator[asyncio.Task[Answer]]":
    """Call for a backtest; it is under way at the gateway, and compute does not answer within the context."""
    async with suspended_compute(stack):
        call = await call_under_way(page, runs)
        assert not call.done()
        yield call


async def test_the_gateway_knows_the_deadline_of_a_call(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path
) -> None:
    folder, (port,) = short_folder / "deadline", free_ports(1)
    metrics = Page(f"127.0.0.1:{port}")
    async with (
        service_beside(stack, "gateway", folder, gateway_metrics_port=port) as gateway,
        service_beside(stack, "web", folder, gateway_address=gateway.address) as web,
        open_channel(gateway.address) as channel,
        suspended_compute(stack),
    ):
        is_known, limit_ms = False, 1_000
        # On a busy machine, a deadline can pass before the gateway has the run.
        while not is_known:
            limit_ms *= 2
            call = await call_under_way(
                Page(web.address), RunServiceStub(channel), connect_timeout_ms=str(limit_ms)
            )
            is_known = not call.done()
            answer = await call
            assert (answer.status, answer.json()["code"]) == (504, "deadline_exceeded")

        async def ended() -> list[bytes]:
            lines = (await metrics.send("GET", "/metrics")).body.splitlines()
            name = b"backcast_rpc_duration_seconds_count"
            return [line for line in lines if line.startswith(name) and b'/RunBacktest"' in line]

        async def has_ended() -> bool:
            return bool(await ended())

        await until(has_ended)
        # Where it did not know, it would have been cancelled.
        (counted,) = await ended()
        assert b'code="DEADLINE_EXCEEDED"' in counted


async def test_a_call_under_way_is_answered_by_a_process_that_stops_and_says_so(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path, runs: "RunServiceAsyncStub"
) -> None:
    (port,) = free_ports(1)
    async with (
        service_beside(stack, "web", short_folder / "graceful", health_port=port, shutdown_grace_s=60) as web,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        states = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await states.read()).status == Health.SERVING
        page = Page(web.address)

        async def takes_no_more() -> bool:
            try:
                await page.send("GET", "/healthz")
            except ConnectionError:
                return True
            return False

        async with held_call(stack, page, runs) as call:
            web.process.terminate()
            assert (await states.read()).status == Health.NOT_SERVING
            await until(takes_no_more)
        answer = await call
        assert answer.status == 200, answer.body


async def test_a_call_that_outlasts_the_grace_time_ends_with_a_sentence(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path, runs: "RunServiceAsyncStub"
) -> None:
    async with (
        service_beside(stack, "web", short_folder / "hasty", shutdown_grace_s=0.1) as web,
        held_call(stack, Page(web.address), runs) as call,
    ):
        web.process.terminate()
        answer = await call
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["message"] == "the service is stopping"
    info = answer.detail(error_details_pb2.ErrorInfo)
    assert (info.reason, dict(info.metadata)) == ("SERVICE_STOPPING", {"service": "web"})
