"""Processes of the system: those of the stack that all tests share, and stacks of a test's own beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel

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


def compute_workers(stack: LocalStack) -> list[psutil.Process]:
    """Return the worker processes of the stack's compute service: the children of its fork server."""
    compute = process_at(stack.compute_address)
    return [worker for server in compute.children() for worker in server.children()]


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
