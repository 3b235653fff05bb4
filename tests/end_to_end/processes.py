"""Processes of the system: those of the stack that all tests share, and stacks of a test's own beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


def process_at(address: str) -> psutil.Process:
    """Return the process of the tests' that listens at `address`."""
    port = int(address.rpartition(":")[2])
    (process,) = (
        child
        for child in psutil.Process().children()
        if any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in child.net_connections("tcp")
        )
    )
    return process


def workers_of(compute: psutil.Process) -> list[psutil.Process]:
    """Return the worker processes of a compute service: the children of its fork server."""
    return [worker for server in compute.children() for worker in server.children()]


def compute_workers(stack: LocalStack) -> list[psutil.Process]:
    """Return the worker processes of the stack's compute service."""
    return workers_of(process_at(stack.compute_address))


@asynccontextmanager
async def workers_held(stack: LocalStack) -> AsyncIterator[None]:
    """Stop the workers that compute, so that nothing gets ready but what is in the cache."""
    workers = compute_workers(stack)
    for worker in workers:
        worker.suspend()
    try:
        yield
    finally:
        for worker in workers:
            # One whose call was cancelled meanwhile may have been killed, as it did not end the call.
            with suppress(psutil.NoSuchProcess):
                worker.resume()


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; one that has ended and that its parent has not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cpu_seconds(*processes: psutil.Process) -> float:
    """Return the CPU time of processes and all their descendants so far."""
    everybody = [*processes, *(child for process in processes for child in process.children(recursive=True))]
    return sum(sum(process.cpu_times()[:2]) for process in everybody)


async def until_workers_work(compute: psutil.Process) -> None:
    """Wait until the workers have worked for a while from now on."""
    workers = workers_of(compute)
    before = cpu_seconds(*workers)
    await until(lambda: cpu_seconds(*workers) > before + 0.3)


@asynccontextmanager
async def gateway_beside(
    stack: LocalStack, folder: Path, redis_url: str | None = None
) -> "AsyncIterator[BacktestServiceAsyncStub]":
    """Start three services beside `stack`, on its database and cache, and yield a client of their gateway.

    They are set by the environment as it is now; `redis_url` is another cache.
    """
    settings = StackSettings(
        folder, 0, 0, 0, database_url=stack.database_url, redis_url=redis_url or stack.redis_url, quiet=True
    )
    async with LocalStack(settings) as other, open_channel(other.gateway_address) as channel:
        yield BacktestServiceStub(channel)
