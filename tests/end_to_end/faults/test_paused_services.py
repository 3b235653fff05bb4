"""A service that stands still, without closing anything, is noticed; when it goes on, so do runs."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from redis.asyncio import Redis

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.errors import ErrorReason
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import overdue, unanswered
from tests.end_to_end.faults.stacks import SYMBOLS, chunks_request, long_run, long_sweep
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import process_at, until_workers_work
from tests.error_info import error_info
from tests.waiting import LIMIT_S, until

# The connection is found to be dead, or a deadline passes before that.
SENTENCES = {str(unanswered("data")), str(overdue("data"))}


@contextmanager
def paused(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def failure_of(call: grpc.aio.UnaryStreamCall[Any, Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async with asyncio.timeout(LIMIT_S):
            async for _ in call:
                pass
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    return error.value


async def run_completely(channel: grpc.aio.Channel) -> pb.RunBacktestsResponse:
    """Return the last event of a run, which nothing keeps waiting."""
    events = [event async for event in BacktestServiceStub(channel).RunBacktests(long_run())]
    return events[-1]


async def test_a_paused_compute_service_ends_runs_with_a_sentence(long_stack: LocalStack) -> None:
    compute = process_at(long_stack.compute_address)
    async with open_channel(long_stack.gateway_address) as channel:
        call = BacktestServiceStub(channel).SweepBacktests(long_sweep())
        assert (await anext(aiter(call))).HasField("started")
        await until_workers_work(compute)
        with paused(compute):
            assert "compute" in (await failure_of(call)).details()
        assert (await run_completely(channel)).progress.completed == 2


async def test_a_paused_data_service_ends_what_waits_for_candles_with_a_sentence(
    long_stack: LocalStack, tmp_path: Path
) -> None:
    data = process_at(long_stack.data_address)
    request = await chunks_request(long_stack, chunk_size=1, count=1)
    # It has no candles yet.
    async with (
        service_beside(long_stack, "compute", tmp_path) as compute,
        open_channel(compute.address) as channel,
    ):
        stub = ComputeServiceStub(channel)
        with paused(data):
            async with asyncio.timeout(LIMIT_S):
                responses = [response async for response in stub.ComputeSweep(request)]
        assert len(responses) == 2
        for response in responses:
            assert error_info(response.failure.status) == (
                *("UNAVAILABLE", ErrorReason.SERVICE_UNAVAILABLE),
                {"service": "data"},
            )
            assert response.failure.status.message in SENTENCES
        assert [response.HasField("chunk") async for response in stub.ComputeSweep(request)] == [True, True]


async def test_a_gateway_that_waits_for_a_paused_data_service_says_so(long_stack: LocalStack) -> None:
    async with open_channel(long_stack.gateway_address) as channel:
        with paused(process_at(long_stack.data_address)):
            call = BacktestServiceStub(channel).RunBacktests(long_run())
            assert (await failure_of(call)).details() in SENTENCES
        assert (await run_completely(channel)).progress.completed == 2


async def test_a_cached_result_is_read_while_the_data_service_is_asked_whether_its_plan_is_right(
    long_stack: LocalStack,
) -> None:
    request = pb.RunBacktestRequest(symbol=SYMBOLS[0], spec=long_run().spec)
    async with (
        open_channel(long_stack.gateway_address) as channel,
        Redis.from_url(long_stack.redis_url) as redis,
    ):
        stub = BacktestServiceStub(channel)
        await stub.RunBacktest(request)

        async def reads() -> int:
            return (await redis.info("commandstats"))["cmdstat_mget"]["calls"]

        before = await reads()
        with paused(process_at(long_stack.data_address)):
            call = stub.RunBacktest(request)

            async def one_more() -> bool:
                return await reads() == before + 1

            await until(one_more)
        assert (await call).result.from_cache
        # Nothing was read twice.
        assert await one_more()
