"""SIGTERM: calls in flight finish within the grace time or end with a sentence; then the exit status is 0."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1 import candle_columns_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as data_pb
from backcast.marketdata.v1.interval_pb2 import INTERVAL_1H
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.errors import ErrorReason
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.faults.stacks import (
    SYMBOLS,
    chunks_request,
    long_run,
    long_sweep,
)
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import is_alive, until_workers_work, workers_of
from tests.error_info import error_info
from tests.waiting import LIMIT_S, until


@asynccontextmanager
async def serving(
    stack: LocalStack, name: str, folder: Path, grace_s: float
) -> AsyncIterator[tuple[psutil.Process, grpc.aio.Channel]]:
    settings = {"shutdown_grace_s": grace_s, "compute_workers": 1, "retention_days": 0}
    async with (
        service_beside(stack, name, folder, **settings) as service,
        open_channel(service.address) as channel,
    ):
        yield service.process, channel


async def terminate(service: psutil.Process, channel: grpc.aio.Channel) -> None:
    """Signal a service to stop; return when it is no longer serving."""
    states = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await states.read()).status == health_pb2.HealthCheckResponse.SERVING
    service.terminate()
    assert (await states.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    states.cancel()


async def assert_exit_status_0(service: psutil.Process) -> None:
    await until(lambda: not is_alive(service))
    assert service.wait() == 0


async def the_rest(call: Any) -> list[Any]:
    return [message async for message in call]


async def assert_ends_with_the_sentence(call: Any, service: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await the_rest(call)
    assert error_info(error.value) == ("UNAVAILABLE", ErrorReason.SERVICE_STOPPING, {"service": service})
    assert error.value.details() == "the service is stopping"


async def assert_takes_no_calls(channel: grpc.aio.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    code = None
    async with asyncio.timeout(LIMIT_S):
        # It stops taking them right after it said that it is not serving.
        while code is not grpc.StatusCode.UNAVAILABLE:
            try:
                answer = await health.Check(health_pb2.HealthCheckRequest())
                assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            except grpc.aio.AioRpcError as error:
                code = error.code()
                # CANCELLED is gRPC's own answer to a call that was on its way when the notice went out.
                assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_data_sends_what_it_began(long_stack: LocalStack, tmp_path: Path) -> None:
    request = data_pb.StreamCandlesRequest(
        symbols=SYMBOLS, interval=INTERVAL_1H, columns=candle_columns_pb2.CandleColumn.values()[1:]
    )
    async with serving(long_stack, "data", tmp_path, grace_s=10) as (service, channel):
        whole = await the_rest(MarketDataServiceStub(channel).StreamCandles(request))
        call = MarketDataServiceStub(channel).StreamCandles(request)
        first = await anext(aiter(call))
        await terminate(service, channel)
        await assert_takes_no_calls(channel)
        assert [first, *await the_rest(call)] == whole
        await assert_exit_status_0(service)


async def test_data_ends_an_import_that_does_not_end(long_stack: LocalStack, tmp_path: Path) -> None:
    async with serving(long_stack, "data", tmp_path, grace_s=0.5) as (service, channel):
        call = MarketDataServiceStub(channel).ImportCandles()
        header = data_pb.ImportHeader(symbol="ENDLESSUSDT")
        await call.write(data_pb.ImportCandlesRequest(header=header))
        await terminate(service, channel)
        with pytest.raises(grpc.aio.AioRpcError, match="the service is stopping"):
            await call
        await assert_exit_status_0(service)


async def test_compute_finishes_what_it_began(long_stack: LocalStack, tmp_path: Path) -> None:
    request = await chunks_request(long_stack, chunk_size=10, count=5)
    async with serving(long_stack, "compute", tmp_path, grace_s=30) as (service, channel):
        call = ComputeServiceStub(channel).ComputeSweep(request)
        first = await anext(aiter(call))
        await terminate(service, channel)
        await assert_takes_no_calls(channel)
        responses = [first, *await the_rest(call)]
        assert len(responses) == 10
        assert all(response.HasField("chunk") for response in responses)
        await assert_exit_status_0(service)


async def test_compute_ends_what_takes_longer_than_the_grace_time(
    long_stack: LocalStack, tmp_path: Path
) -> None:
    request = await chunks_request(long_stack, chunk_size=256, count=10)
    async with serving(long_stack, "compute", tmp_path, grace_s=0.5) as (service, channel):
        call = ComputeServiceStub(channel).ComputeSweep(request)
        await until_workers_work(service)
        workers = workers_of(service)
        await terminate(service, channel)
        await assert_ends_with_the_sentence(call, "compute")
        await assert_exit_status_0(service)
        assert not any(map(is_alive, workers))


async def test_the_gateway_finishes_what_it_began(long_stack: LocalStack, tmp_path: Path) -> None:
    async with serving(long_stack, "gateway", tmp_path, grace_s=30) as (service, channel):
        call = BacktestServiceStub(channel).RunBacktests(long_run())
        assert (await anext(aiter(call))).HasField("started")
        await terminate(service, channel)
        await assert_takes_no_calls(channel)
        assert (await the_rest(call))[-1].HasField("summary")
        await assert_exit_status_0(service)


async def test_the_gateway_ends_what_takes_longer_than_the_grace_time(
    long_stack: LocalStack, tmp_path: Path
) -> None:
    async with serving(long_stack, "gateway", tmp_path, grace_s=0.5) as (service, channel):
        call = BacktestServiceStub(channel).SweepBacktests(long_sweep())
        assert (await anext(aiter(call))).HasField("started")
        await terminate(service, channel)
        await assert_ends_with_the_sentence(call, "gateway")
        await assert_exit_status_0(service)


async def test_a_reader_that_does_not_read_holds_nobody_up(long_stack: LocalStack, tmp_path: Path) -> None:
    request = data_pb.StreamCandlesRequest(
        symbols=SYMBOLS, interval=INTERVAL_1H, columns=candle_columns_pb2.CandleColumn.values()[1:]
    )
    # A connection that may widen its window takes in the whole answer, though nobody reads it.
    narrow = [("grpc.http2.bdp_probe", 0)]
    async with (
        service_beside(long_stack, "data", tmp_path, shutdown_grace_s=0.5, retention_days=0) as service,
        grpc.aio.insecure_channel(service.address, options=narrow) as channel,
    ):
        call = MarketDataServiceStub(channel).StreamCandles(request)
        await anext(aiter(call))
        await terminate(service.process, channel)
        await assert_exit_status_0(service.process)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await the_rest(call)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
