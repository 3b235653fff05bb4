"""Limits on what is under way, as clients see them, and servers that answer all the same."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from services.wire.backtests import strategy_to
from tests.end_to_end.one_service import service_beside
from tests.error_info import error_info
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]


@pytest.fixture(scope="module")
async def limited(
    stack: LocalStack, market: dict[str, Candles], short_folder: Path
) -> "AsyncIterator[BacktestServiceAsyncStub]":
    """A client of a gateway that allows next to nothing."""
    async with (
        service_beside(
            stack,
            "gateway",
            short_folder / "limited",
            max_runs_per_client=2,
            max_symbols_per_request=10,
            max_backtests_per_request=5_000,
            max_backtests_per_client=5_005,
        ) as gateway,
        open_channel(gateway.address) as channel,
    ):
        yield BacktestServiceStub(channel)


def run_request(symbols: int) -> pb.RunBacktestsRequest:
    bypass = pb.CACHE_MODE_BYPASS
    return pb.RunBacktestsRequest(
        symbols=SYMBOLS[:symbols], spec=BacktestSpec(strategy=strategy_to(Rsi())), cache_mode=bypass, detail=3
    )


def sweep_request(symbols: int, periods: int) -> pb.SweepBacktestsRequest:
    values = [Value(number_value=number) for number in range(2, 2 + periods)]
    return pb.SweepBacktestsRequest(
        symbols=SYMBOLS[:symbols],
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        ranges=[ParameterRange(name="period", values=values)],
        cache_mode=pb.CACHE_MODE_BYPASS,
    )


async def refused(call: grpc.aio.UnaryStreamCall[Any, Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(LIMIT_S):
            _ = [event async for event in call]
    return caught.value


def retry_after_s(error: grpc.aio.AioRpcError) -> float:
    status, retry = rpc_status.from_call(error), RetryInfo()
    assert status and any(detail.Unpack(retry) for detail in status.details)
    return retry.retry_delay.ToNanoseconds() / 1e9


async def test_too_many_runs_at_once_may_come_again(limited: "BacktestServiceAsyncStub") -> None:
    under_way = [limited.SweepBacktests(sweep_request(1, 2_000)) for _ in range(2)]
    for call in under_way:
        assert (await anext(aiter(call))).HasField("started")
    error = await refused(limited.RunBacktests(run_request(1)))
    assert error.details() == "at most 2 runs of anonymous may be under way at once"
    assert error_info(error) == ("RESOURCE_EXHAUSTED", ErrorReason.TOO_MANY_RUNS, {"limit": "2"})
    assert retry_after_s(error) == 1
    under_way[0].cancel()
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                events = [event async for event in limited.RunBacktests(run_request(1))]
                break
            except grpc.aio.AioRpcError as again:
                assert again.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert events[-1].progress.completed == 1
    under_way[1].cancel()


async def test_too_many_backtests_at_once_may_come_again(limited: "BacktestServiceAsyncStub") -> None:
    under_way = limited.SweepBacktests(sweep_request(2, 2_500))
    assert (await anext(aiter(under_way))).started.backtest_count == 5_000
    error = await refused(limited.RunBacktests(run_request(10)))
    assert ": 5,000 are, and this run has 10" in (error.details() or "")
    expected = ("RESOURCE_EXHAUSTED", ErrorReason.TOO_MANY_BACKTESTS, {"limit": "5005"})
    assert error_info(error) == expected
    assert retry_after_s(error) == 1
    assert error_info(await refused(limited.RunBacktests(run_request(6)))) == expected
    under_way.cancel()


@pytest.mark.parametrize(
    ("asked", "field", "limit", "requested"),
    [
        (run_request(12), "symbols", "10", "12"),
        (sweep_request(12, 2), "symbols", "10", "12"),
        (sweep_request(3, 1_700), "ranges", "5000", "5100"),
    ],
)
async def test_a_request_that_is_too_large_names_its_field(
    limited: "BacktestServiceAsyncStub",
    asked: pb.RunBacktestsRequest | pb.SweepBacktestsRequest,
    field: str,
    limit: str,
    requested: str,
) -> None:
    is_run = isinstance(asked, pb.RunBacktestsRequest)
    error = await refused(limited.RunBacktests(asked) if is_run else limited.SweepBacktests(asked))
    assert [violation.field for violation in violations_of(error)] == [field]
    assert error_info(error) == (
        *("RESOURCE_EXHAUSTED", ErrorReason.REQUEST_TOO_LARGE),
        {"limit": limit, "requested": requested},
    )
