"""The gateway's client of compute asks for a portfolio again where the stream breaks off in the middle."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import grpc
import pytest

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1 import compute_service_pb2_grpc
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Execution, Window
from backcast_engine.errors import BackcastError, ErrorReason, InvalidInput, Refused, Violation
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, WeightedStrategy
from backcast_engine.strategies.rsi import Rsi
from services.domain.errors import Unavailable
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.upstream.compute import ComputeClient
from services.rpc.status import error_of_status, status_of

CRYPTOS = [CryptoData(symbol, "1", 0, 0, "1") for symbol in ("A", "B")]
PORTFOLIO = Portfolio((WeightedStrategy(Rsi()),), Interval.HOUR_1, Window(0, 3600), Execution(), 2)


class Compute(compute_service_pb2_grpc.ComputeServiceServicer):
    """Breaks off in the middle of the second result, and sends it to its end when it is asked again."""

    def __init__(self) -> None:
        self.calls: list[pb.ComputePortfoliosRequest] = []

    async def ComputePortfolios(  # noqa: N802  # the RPC's name
        self, request: pb.ComputePortfoliosRequest, context: Any
    ) -> AsyncIterator[pb.ComputePortfoliosResponse]:
        self.calls.append(request)
        yield pb.ComputePortfoliosResponse(completed_crypto_count=len(self.calls))
        if len(self.calls) == 1:
            yield pb.ComputePortfoliosResponse(result=ComputedResult(parts=[b"0"]), portfolio=1)
        yield pb.ComputePortfoliosResponse(
            result=ComputedResult(metrics=b"metrics", parts=[b"1"]),
            result_continues=True,
            newer_cryptos=[pb.CryptoRef(symbol="A", fingerprint="2")],
            portfolio=0,
        )
        if len(self.calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        yield pb.ComputePortfoliosResponse(result=ComputedResult(parts=[b"2"]), portfolio=0)
        yield pb.ComputePortfoliosResponse(failure=status_of(Refused("no")))


@pytest.fixture
async def compute() -> AsyncIterator[tuple[Compute, ComputeClient]]:
    service, server = Compute(), grpc.aio.server()  # type: ignore[abstract]  # one of its methods
    compute_service_pb2_grpc.add_ComputeServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service, ComputeClient(compute_service_pb2_grpc.ComputeServiceStub(channel))
    await server.stop(None)


async def test_a_result_that_broke_off_is_asked_for_again_and_comes_whole(
    compute: tuple[Compute, ComputeClient],
) -> None:
    service, client = compute
    portfolios = [replace(PORTFOLIO, max_positions=places) for places in (2, 1, 2, 1)]
    found = []
    async with aclosing(client.portfolios(portfolios, CRYPTOS)) as responses:
        async for response in responses:
            found.append(pb.ComputePortfoliosResponse.FromString(response.SerializeToString()))
    kinds = [(response.WhichOneof("outcome"), response.portfolio) for response in found]
    assert kinds == [
        *(("completed_crypto_count", 0), ("result", 1), ("completed_crypto_count", 0), ("result", 0)),
        # Those that are missing when the last failure comes.
        *(("failure", 2), ("failure", 3)),
    ]
    whole = found[3]
    assert whole.result == ComputedResult(metrics=b"metrics", parts=[b"1", b"2"])
    assert [(each.symbol, each.fingerprint) for each in whole.newer_cryptos] == [("A", "2")]
    first, second = service.calls
    assert [each.symbol for each in first.cryptos] == ["A", "B"]
    assert [spec.max_positions for spec in first.specs] == [2, 1, 2, 1]
    assert list(second.specs) == [first.specs[place] for place in (0, 2, 3)]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(
            "C: the data service does not answer", reason=ErrorReason.SERVICE_UNAVAILABLE, service="data"
        ),
        Refused("too extreme", reason=ErrorReason.PRICES_OUT_OF_RANGE),
        InvalidInput(
            Violation("spec.legs[0].strategy", "is no condition"),
            reason=ErrorReason.INVALID_RULES,
            entry_start="4",
        ),
    ],
)
def test_an_error_passes_through_a_failure_as_it_is(error: BackcastError) -> None:
    same = error_of_status(status_of(error))
    assert type(same) is type(error)
    assert (str(same), same.reason, same.metadata) == (str(error), error.reason, error.metadata)
