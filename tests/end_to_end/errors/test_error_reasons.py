"""Errors say why they are errors in google.rpc.ErrorInfo, wherever they come from."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1 import market_data_service_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.rsi import Rsi
from services.imports.candle_writer import write_candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, import_candles, random_candles
from tests.error_info import error_info

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOL, EXTREME = "REASONUSDT", "BOUNDLESSUSDT"
HOURS, EXTREME_HOURS = 10, 100


@pytest.fixture(scope="module")
async def short_history(data_service: "MarketDataServiceAsyncStub") -> None:
    await import_candles(data_service, SYMBOL, random_candles(1, HOURS))


async def error_of(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


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
        error = await error_of(RunServiceStub(channel).CancelRun(cancel))
        assert error_info(error) == ("NOT_FOUND", ErrorReason.RUN_NOT_FOUND, {"run_id": "nobody"})
        # The data service's own, through the gateway.
        candles = market_data_service_pb2.GetCandlesRequest(symbol="")
        error = await error_of(MarketDataServiceStub(channel).GetCandles(candles))
        assert error_info(error) == ("INVALID_ARGUMENT", ErrorReason.INVALID_REQUEST, {})


async def test_an_import_into_other_candles_says_why(
    data_service: "MarketDataServiceAsyncStub", short_history: None
) -> None:
    writing = write_candles(data_service, SYMBOL, random_candles(1, HOURS), synthetic=True)
    assert error_info(await error_of(writing)) == (
        *("FAILED_PRECONDITION", ErrorReason.CANDLES_CONFLICT),
        {"symbol": SYMBOL},
    )


@pytest.mark.parametrize(
    ("cache_mode", "expected"),
    [
        # Compute's own, of the engine in one of its processes.
        (
            pb.CACHE_MODE_BYPASS,
            (
                *("FAILED_PRECONDITION", ErrorReason.TOO_FEW_CANDLES),
                {"needed": "15", "present": str(HOURS)},
            ),
        ),
        (pb.CACHE_MODE_ONLY, ("NOT_FOUND", ErrorReason.NOT_CACHED, {})),
    ],
)
async def test_a_crypto_that_fails_says_why(
    gateway: "BacktestServiceAsyncStub",
    short_history: None,
    cache_mode: pb.CacheMode,
    expected: tuple[str, ErrorReason, dict[str, str]],
) -> None:
    assert await failure_of(gateway, request(cache_mode=cache_mode)) == expected


async def test_a_crypto_with_extreme_prices_fails_and_says_why(
    gateway: "BacktestServiceAsyncStub", data_service: "MarketDataServiceAsyncStub"
) -> None:
    # What is bought with the first is worth more with the last than a float64 holds.
    close = np.geomspace(1e-299, 1e299, EXTREME_HOURS)
    open_ = np.concatenate((close[:1], close[:-1]))
    extreme = Candles(
        *(START_S + 3600 * np.arange(EXTREME_HOURS), open_),
        *(close, open_, close, np.ones(EXTREME_HOURS)),
    )
    await import_candles(data_service, EXTREME, extreme)
    asked = request()
    asked.symbols[:] = [EXTREME]
    asked.spec.strategy.CopyFrom(strategy_to(BuyAndHold()))
    asked.spec.end_time.seconds = START_S + 3600 * EXTREME_HOURS
    assert await failure_of(gateway, asked) == ("FAILED_PRECONDITION", ErrorReason.PRICES_OUT_OF_RANGE, {})


async def failure_of(
    gateway: "BacktestServiceAsyncStub", asked: pb.RunBacktestsRequest
) -> tuple[str, str, dict[str, str]]:
    events = [event async for event in gateway.RunBacktests(asked)]
    (failure,) = (event.failure for event in events if event.HasField("failure"))
    return error_info(failure.status)
