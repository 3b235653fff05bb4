"""The gateway's client of compute asks for a portfolio again where the stream breaks off in the middle."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1 import compute_service_pb2_grpc
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Execution, Window
from backcast_engine.errors import ErrorReason, Refused
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
    """Breaks off in the middle of the first result, and sends the second one to its end."""

    def __init__(self) -> None:
        self.calls: list[pb.ComputePortfolioRequest] = []

    async def ComputePortfolio(  # noqa: N802  # the RPC's name
        self, request: pb.ComputePortfolioRequest, context: Any
    ) -> AsyncIterator[pb.ComputePortfolioResponse]:
        self.calls.append(request)
        yield pb.ComputePortfolioResponse(completed_crypto_count=len(self.calls))
        yield pb.ComputePortfolioResponse(
            result=ComputedResult(metrics=b"metrics", parts=[b"1"]),
            result_continues=True,
            newer_cryptos=[pb.CryptoRef(symbol="A", fingerprint="2")],
        )
        if len(self.calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        yield pb.ComputePortfolioResponse(result=ComputedResult(parts=[b"2"]))


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
    async with aclosing(client.portfolio(PORTFOLIO, CRYPTOS)) as responses:
        *progress, last = [response async for response in responses]
    assert [each.completed_crypto_count for each in progress] == [1, 2]
    assert last.result == ComputedResult(metrics=b"metrics", parts=[b"1", b"2"])
    assert [(each.symbol, each.fingerprint) for each in last.newer_cryptos] == [("A", "2")]
    assert len(service.calls) == 2
    assert service.calls[0] == service.calls[1]
    assert [each.symbol for each in service.calls[0].cryptos] == ["A", "B"]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable(
            "C: the data service does not answer", reason=ErrorReason.SERVICE_UNAVAILABLE, service="data"
        ),
        Refused("too extreme", reason=ErrorReason.PRICES_OUT_OF_RANGE),
    ],
)
def test_an_error_passes_through_a_failure_as_it_is(error: Unavailable | Refused) -> None:
    same = error_of_status(status_of(error))
    assert type(same) is type(error)
    assert (str(same), same.reason, same.metadata) == (str(error), error.reason, error.metadata)
