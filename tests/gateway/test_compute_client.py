"""What the gateway makes of compute's outcomes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc
from google.rpc.status_pb2 import Status

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.compute_service_pb2_grpc import (
    ComputeServiceServicer,
    ComputeServiceStub,
    add_ComputeServiceServicer_to_server,
)
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.compute.v1.sweep_chunk_pb2 import SweepChunk
from services.domain.interval import Interval
from services.engine import Backtest, Execution, Window
from services.engine.strategies.rsi import Rsi
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.upstream.compute import ComputeClient, outcomes_by_chunk

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[Any, Any]

A, B = CryptoData("A", "1", 0, 0, "1"), CryptoData("B", "1", 0, 0, "1")
CHUNK_SIZE = 256


def chunk(symbol: str, number: int) -> pb.ComputeSweepResponse:
    return pb.ComputeSweepResponse(chunk=SweepChunk(symbol=symbol, first_combination=number * CHUNK_SIZE))


def failure(symbol: str, number: int | None) -> pb.ComputeSweepResponse:
    first = None if number is None else number * CHUNK_SIZE
    return pb.ComputeSweepResponse(
        failure=pb.SweepChunkFailure(symbol=symbol, first_combination=first, status=Status(code=5))
    )


def test_what_a_chunk_brings_is_not_missing_any_more() -> None:
    missing = {"A": (A, {0, 1}), "B": (B, {0})}
    for response in (chunk("A", 1), failure("B", 0), chunk("A", 0)):
        assert list(outcomes_by_chunk(response, missing, CHUNK_SIZE)) == [response]
    assert not missing


def test_a_crypto_that_fails_fails_in_what_is_missing_of_it_only() -> None:
    missing = {"A": (A, {0, 1, 2}), "B": (B, {0})}
    assert list(outcomes_by_chunk(chunk("A", 1), missing, CHUNK_SIZE)) == [chunk("A", 1)]
    failed = list(outcomes_by_chunk(failure("A", None), missing, CHUNK_SIZE))
    assert failed == [failure("A", 0), failure("A", 2)]
    assert missing == {"B": (B, {0})}


class BreaksOff(ComputeServiceServicer):
    """Computes A in three parts, with B behind the last; the first call breaks off within A."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def ComputeBacktests(  # noqa: N802
        self, request: pb.ComputeBacktestsRequest, context: "_Context"
    ) -> AsyncGenerator[pb.ComputeBacktestsResponse]:
        self.asked.append([crypto.symbol for crypto in request.cryptos])
        first = ComputedResult(symbol="A", fingerprint="1", metrics=b"figures", parts=[b"1"])
        second, third = (ComputedResult(symbol="A", fingerprint="1", parts=[part]) for part in (b"2", b"3"))
        for part in (first, second):
            yield pb.ComputeBacktestsResponse(results=[part], result_continues=True)
        if len(self.asked) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "")
        yield pb.ComputeBacktestsResponse(
            results=[third, ComputedResult(symbol="B", parts=[b"4"])], failures=[pb.ComputeFailure(symbol="C")]
        )


async def test_a_result_in_parts_comes_whole_and_anew_where_it_broke_off() -> None:
    compute, server = BreaksOff(), grpc.aio.server()
    add_ComputeServiceServicer_to_server(compute, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    cryptos = [CryptoData(symbol, "1", 0, 0, "1") for symbol in "ABC"]
    backtest = Backtest(Rsi(), Interval.HOUR_1, Window(0, 3600), Execution())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        async with aclosing(ComputeClient(ComputeServiceStub(channel)).outcomes(backtest, cryptos)) as stream:
            (response,) = [response async for response in stream]
    await server.stop(None)
    assert compute.asked == [["A", "B", "C"]] * 2
    assert [(result.symbol, list(result.parts)) for result in response.results] == [
        ("A", [b"1", b"2", b"3"]),
        ("B", [b"4"]),
    ]
    assert response.results[0].metrics == b"figures"
    assert [failure.symbol for failure in response.failures] == ["C"]
