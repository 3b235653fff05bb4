"""Work without a client ends, in the gateway, in compute and in its workers."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.faults.stacks import SWEEP_BACKTESTS, SYMBOLS, long_run, long_series, long_sweep
from tests.end_to_end.operations.service_metrics import ServiceMetrics
from tests.end_to_end.processes import process_at, until_workers_work, workers_held, workers_of
from tests.waiting import until

Request = pb.RunBacktestsRequest | pb.SweepBacktestsRequest | pb.StreamSeriesRequest

# A process that asks for something, several times at once, and reads what comes.
_CLIENT = """
import sys, threading, grpc
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub

address, method, kind, times, request = sys.argv[1:]
request = getattr(pb, kind).FromString(bytes.fromhex(request))
with grpc.insecure_channel(address) as channel:
    calls = [getattr(BacktestServiceStub(channel), method)(request) for _ in range(int(times))]
    for call in calls:
        for event in call:
            pass
"""


def method_of(request: Request) -> str:
    return type(request).__name__.removesuffix("Request")


async def read(channel: grpc.aio.Channel, request: Request, **options: Any) -> None:
    async for _ in getattr(BacktestServiceStub(channel), method_of(request))(request, **options):
        pass


async def cancel_it(stack: LocalStack, request: Request) -> None:
    async with open_channel(stack.gateway_address) as channel:
        reading = asyncio.create_task(read(channel, request))
        await until_workers_work(process_at(stack.compute_address))
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def close_the_channel(stack: LocalStack, request: Request) -> None:
    async with open_channel(stack.gateway_address) as channel:
        reading = asyncio.create_task(read(channel, request))
        await until_workers_work(process_at(stack.compute_address))
    with pytest.raises(asyncio.CancelledError):
        await reading


async def let_the_deadline_pass(stack: LocalStack, request: Request) -> None:
    async with open_channel(stack.gateway_address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await read(channel, request, timeout=1.5)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def client_process(stack: LocalStack, request: Request, times: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CLIENT, stack.gateway_address),
        *(method_of(request), type(request).__name__, str(times), request.SerializeToString().hex()),
    )


async def killed(client: asyncio.subprocess.Process) -> None:
    client.kill()
    assert await client.wait() == -signal.SIGKILL


async def kill_the_client(stack: LocalStack, request: Request, times: int = 1) -> None:
    client = await client_process(stack, request, times)
    await until_workers_work(process_at(stack.compute_address))
    await killed(client)


@pytest.fixture
def metrics(long_stack: LocalStack, long_folder: Path) -> ServiceMetrics:
    return ServiceMetrics(long_folder / "logs")


async def assert_nobody_works_and_most_is_left(
    stack: LocalStack, metrics: ServiceMetrics, before: float, asked: int
) -> None:
    await metrics.until_nobody_works()
    # The task that the worker was at, and no other: it takes seconds, and all of them a minute.
    assert await metrics.backtests() - before < asked / 2
    assert len(workers_of(process_at(stack.compute_address))) == 1


@pytest.mark.parametrize("leave", [cancel_it, close_the_channel, let_the_deadline_pass, kill_the_client])
async def test_a_client_that_leaves_a_sweep_leaves_no_work_behind(
    long_stack: LocalStack,
    metrics: ServiceMetrics,
    leave: Callable[[LocalStack, Request], Awaitable[None]],
) -> None:
    before = await metrics.backtests()
    await leave(long_stack, long_sweep())
    await assert_nobody_works_and_most_is_left(long_stack, metrics, before, SWEEP_BACKTESTS)


async def test_a_client_that_leaves_runs_leaves_no_work_behind(
    long_stack: LocalStack, metrics: ServiceMetrics
) -> None:
    before = await metrics.backtests()
    await kill_the_client(long_stack, long_run(), times=20)
    await assert_nobody_works_and_most_is_left(long_stack, metrics, before, 20 * len(SYMBOLS))


async def test_a_client_that_leaves_series_leaves_no_work_behind(
    long_stack: LocalStack, metrics: ServiceMetrics
) -> None:
    async def cancelled() -> float:
        method = "backcast.compute.v1.ComputeService/ComputeSeries"
        name = "backcast_rpc_duration_seconds_count"
        return await metrics.value("compute", name, method=method, code="CANCELLED")

    async def all_are_under_way() -> bool:
        return await metrics.value("compute", "backcast_rpcs_in_progress") >= 20

    before = await cancelled()
    # None of them ends by itself.
    async with workers_held(long_stack):
        client = await client_process(long_stack, long_series(), times=20)
        await until(all_are_under_way)
        await killed(client)
        await metrics.until_nobody_works()
    assert await cancelled() - before == 20
    assert len(workers_of(process_at(long_stack.compute_address))) == 1
