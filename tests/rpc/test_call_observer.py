"""Calls are watched to their end, on a real server: for which run they are, and how they end."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest
from prometheus_client import REGISTRY

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import backtest_service_pb2_grpc
from services.domain.errors import Exhausted
from services.rpc.call_observer import WatchInterceptor
from services.rpc.channel import open_channel, outgoing_metadata
from services.rpc.status import StatusInterceptor
from services.telemetry.run_id import RUN_ID_KEY, current_run_id
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


class Servicer(backtest_service_pb2_grpc.BacktestServiceServicer):
    async def ListCryptos(  # noqa: N802
        self, request: pb.ListCryptosRequest, context: object
    ) -> pb.ListCryptosResponse:
        # Tasks that are made for a run know it too.
        sent = await asyncio.create_task(_sent())
        return pb.ListCryptosResponse(next_page_token=sent)

    async def RunBacktests(  # noqa: N802
        self, request: pb.RunBacktestsRequest, context: object
    ) -> AsyncIterator[pb.RunBacktestsResponse]:
        yield pb.RunBacktestsResponse(started=pb.RunStarted(run_id=current_run_id.get()))
        current_run_id.set(request.run_id)
        yield pb.RunBacktestsResponse(started=pb.RunStarted(run_id=await _sent()))
        if request.curve_points:
            await asyncio.Event().wait()
        if request.symbols:
            raise Exhausted("there are too many", 1.0)


async def _sent() -> str:
    return dict(outgoing_metadata()).get(RUN_ID_KEY, "")


@pytest.fixture
async def client() -> "AsyncIterator[BacktestServiceAsyncStub]":
    server = grpc.aio.server(interceptors=[WatchInterceptor(), StatusInterceptor()])
    backtest_service_pb2_grpc.add_BacktestServiceServicer_to_server(
        Servicer(),  # type: ignore[abstract]  # the other methods are not called
        server,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        yield backtest_service_pb2_grpc.BacktestServiceStub(channel)
    await server.stop(None)


def ended(method: str, code: str) -> float:
    labels = {"method": f"backcast.gateway.v1.BacktestService/{method}", "code": code}
    return REGISTRY.get_sample_value("backcast_rpc_duration_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    ("sent", "known"), [("run-1", "run-1"), ("x" * 64, "x" * 64), ("x" * 65, ""), ("a b", ""), ("", "")]
)
async def test_a_call_knows_its_run_and_passes_it_on(
    client: "BacktestServiceAsyncStub", sent: str, known: str
) -> None:
    answer = await client.ListCryptos(pb.ListCryptosRequest(), metadata=((RUN_ID_KEY, sent),))
    assert answer.next_page_token == known


async def test_a_handler_says_which_run_it_is(client: "BacktestServiceAsyncStub") -> None:
    events = client.RunBacktests(pb.RunBacktestsRequest(run_id="second"), metadata=((RUN_ID_KEY, "first"),))
    assert [event.started.run_id async for event in events] == ["first", "second"]
    # The next call, on the same connection, is for nothing.
    assert not (await client.ListCryptos(pb.ListCryptosRequest())).next_page_token


async def test_calls_are_counted_by_their_final_code(client: "BacktestServiceAsyncStub") -> None:
    codes = ("OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED")
    before = [ended("RunBacktests", code) for code in codes]
    _ = [event async for event in client.RunBacktests(pb.RunBacktestsRequest())]
    with pytest.raises(grpc.aio.AioRpcError, match="RESOURCE_EXHAUSTED"):
        _ = [event async for event in client.RunBacktests(pb.RunBacktestsRequest(symbols=["A"]))]
    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        _ = [e async for e in client.RunBacktests(pb.RunBacktestsRequest(curve_points=8), timeout=1)]
    call = client.RunBacktests(pb.RunBacktestsRequest(curve_points=8))
    await anext(aiter(call))
    call.cancel()
    # The server learns of it when it does.
    await until(lambda: [ended("RunBacktests", code) for code in codes] == [count + 1 for count in before])
