"""Errors say why they are errors in google.rpc.ErrorInfo, wherever they come from."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1 import market_data_service_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.strategies.rsi import Rsi
from services.imports.candle_writer import write_candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, import_candles, random_candles

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOL = "REASONUSDT"
HOURS = 10


@pytest.fixture(scope="module")
async def short_history(data_service: "MarketDataServiceAsyncStub") -> None:
    await import_candles(data_service, SYMBOL, random_candles(1, HOURS))


def told(status: Status) -> tuple[str, str, dict[str, str]]:
    """Return domain, reason and metadata of a status's only ErrorInfo."""
    (detail,) = (each for each in status.details if each.Is(ErrorInfo.DESCRIPTOR))
    info = ErrorInfo()
    detail.Unpack(info)
    return info.domain, info.reason, dict(info.metadata)


async def told_by(call: Awaitable[object]) -> tuple[str, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return told(rpc_status.from_call(caught.value))


def request(**fields: object) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(
        symbols=[SYMBOL],
        spec=BacktestSpec(
            strategy=strategy_to(Rsi()),
            start_time=Timestamp(seconds=START_S),
            end_time=Timestamp(seconds=START_S + 3600 * HOURS),
        ),
        **fields,
    )


async def test_a_call_that_fails_says_why(stack: LocalStack) -> None:
    async with open_channel(stack.gateway_address) as channel:
        cancel = run_service_pb2.CancelRunRequest(run_id="nobody")
        assert await told_by(RunServiceStub(channel).CancelRun(cancel)) == (
            *("backcast", "RUN_NOT_FOUND"),
            {"run_id": "nobody"},
        )
        # The data service's own, through the gateway.
        candles = market_data_service_pb2.GetCandlesRequest(symbol="")
        assert await told_by(MarketDataServiceStub(channel).GetCandles(candles)) == (
            *("backcast", "INVALID_REQUEST"),
            {},
        )


async def test_an_import_into_other_candles_says_why(
    data_service: "MarketDataServiceAsyncStub", short_history: None
) -> None:
    writing = write_candles(data_service, SYMBOL, random_candles(1, HOURS), synthetic=True)
    assert await told_by(writing) == ("backcast", "CANDLES_CONFLICT", {"symbol": SYMBOL})


@pytest.mark.parametrize(
    ("cache_mode", "reason", "metadata"),
    [
        # Compute's own, of the engine in one of its processes.
        (pb.CACHE_MODE_BYPASS, "TOO_FEW_CANDLES", {"needed": "15", "present": str(HOURS)}),
        (pb.CACHE_MODE_ONLY, "NOT_CACHED", {}),
    ],
)
async def test_a_crypto_that_fails_says_why(
    gateway: "BacktestServiceAsyncStub",
    short_history: None,
    cache_mode: pb.CacheMode,
    reason: str,
    metadata: dict[str, str],
) -> None:
    events = [event async for event in gateway.RunBacktests(request(cache_mode=cache_mode))]
    (failure,) = (event.failure for event in events if event.HasField("failure"))
    assert told(failure.status) == ("backcast", reason, metadata)
