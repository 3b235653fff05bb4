"""The compute service, called without the gateway: invalid requests are refused, and errors name a field."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast_engine.errors import ErrorReason
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from tests.candle_making import START_S, import_candles, random_candles
from tests.end_to_end.one_service import service_beside
from tests.error_info import error_info
from tests.folders import new_folder
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

DAY = {"startTime": "2024-01-01T00:00:00Z", "endTime": "2024-01-02T00:00:00Z"}
# Seconds that no calendar has.
BEYOND = 2**62


@pytest.fixture
async def compute(stack: LocalStack) -> "AsyncIterator[ComputeServiceAsyncStub]":
    async with open_channel(stack.compute_address) as channel:
        yield ComputeServiceStub(channel)


async def refused(call: Any) -> list[str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        _ = [message async for message in call]
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return [violation.field for violation in violations_of(error.value)]


def backtests(**fields: Any) -> pb.ComputeBacktestsRequest:
    whole = {"cryptos": [{"symbol": "A"}], "strategy": {"rsi": {}}, "interval": "INTERVAL_1H", **DAY}
    return ParseDict(with_spec(**{**whole, **fields}), pb.ComputeBacktestsRequest())


async def test_a_crypto_that_is_gone_does_not_keep_the_others_from_their_results(
    compute: "ComputeServiceAsyncStub", data_service: "MarketDataServiceAsyncStub"
) -> None:
    there = "DIRECTLYUSDT"
    await import_candles(data_service, there, random_candles(1, 500))
    request = backtests(
        cryptos=[{"symbol": symbol} for symbol in ("AGONEUSDT", there, "ZGONEUSDT")],
        execution={"feeRate": 0.001, "initialCapital": 10_000, "equityFraction": 1, "atrPeriod": 14},
    )
    request.spec.start_time.seconds, request.spec.end_time.seconds = START_S, START_S + 500 * 3600
    responses = [response async for response in compute.ComputeBacktests(request)]
    failures = [failure for response in responses for failure in response.failures]
    assert [result.symbol for response in responses for result in response.results] == [there]
    assert sorted(failure.symbol for failure in failures) == ["AGONEUSDT", "ZGONEUSDT"]
    for failure in failures:
        assert error_info(failure.status) == ("NOT_FOUND", ErrorReason.NO_CANDLES, {})


async def test_a_folder_that_takes_no_candles_is_named(
    stack: LocalStack, data_service: "MarketDataServiceAsyncStub", short_folder: Path
) -> None:
    symbol = "NOFOLDERUSDT"
    await import_candles(data_service, symbol, random_candles(1, 50))
    folder = new_folder(short_folder, "no-columns")
    async with (
        service_beside(stack, "compute", folder) as service,
        open_channel(service.address) as channel,
    ):
        columns = folder / "columns"
        columns.touch()
        call = ComputeServiceStub(channel).ComputeBacktests(backtests(cryptos=[{"symbol": symbol}]))
        (failure,) = [failure async for response in call for failure in response.failures]
    assert error_info(failure.status) == ("UNAVAILABLE", ErrorReason.UNAVAILABLE, {})
    assert str(columns) in failure.status.message


@pytest.mark.parametrize("points", [-1, 1, 7, -(2**31)])
async def test_a_number_of_curve_points_out_of_range_is_named(
    compute: "ComputeServiceAsyncStub", points: int
) -> None:
    assert await refused(compute.ComputeBacktests(backtests(curvePoints=points))) == ["curve_points"]


async def test_a_window_beyond_the_calendar_is_named(compute: "ComputeServiceAsyncStub") -> None:
    request = backtests()
    request.spec.start_time.seconds, request.spec.end_time.seconds = -BEYOND, BEYOND
    assert await refused(compute.ComputeBacktests(request)) == ["spec.start_time"]


async def test_a_chunk_of_too_many_windows_is_named(compute: "ComputeServiceAsyncStub") -> None:
    request = ParseDict(
        with_spec(
            **{
                "cryptos": [{"crypto": {"symbol": "A"}, "chunks": [0]}],
                "strategy": {"rsi": {}},
                "ranges": [{"name": "period", "values": [5, 6]}],
                "interval": "INTERVAL_1H",
                **DAY,
                "windows": [DAY] * 200,
                "chunkSize": 6,
            }
        ),
        pb.ComputeSweepRequest(),
    )
    assert await refused(compute.ComputeSweep(request)) == ["chunk_size"]
    request.chunk_size = 1
    request.windows[3].end_time.seconds = BEYOND
    assert await refused(compute.ComputeSweep(request)) == ["windows"]
    request.windows[3].CopyFrom(request.windows[2])
    for stretches in ([4], [4] * 199 + [1_001], [4] * 199 + [-1]):
        request.stretches[:] = stretches
        assert await refused(compute.ComputeSweep(request)) == ["stretches"]
