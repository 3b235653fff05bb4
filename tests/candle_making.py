"""Candles and calls that many tests need."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import numpy as np

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.domain.aggregation import aggregate
from services.imports.candle_writer import write_candles

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

START_S = 1_704_067_200  # 2024-01-01T00:00:00Z, a Monday


def random_candles(seed: int, count: int, start_s: int = START_S) -> Candles:
    """Return `count` hourly candles of a random walk, the same for the same seed."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    open_ = np.concatenate(([100.0], close[:-1]))
    return Candles(
        open_time_s=start_s + 3600 * np.arange(count, dtype=np.int64),
        open=open_,
        high=np.maximum(open_, close) * 1.002,
        low=np.minimum(open_, close) * 0.998,
        close=close,
        volume=random.lognormal(3, 1, count),
    )


def longer_candles(candles: Candles, interval: Interval) -> Candles:
    """Return what readers get of hourly candles at another interval: candles whose time has passed."""
    longer, _ = aggregate(candles, interval)
    return longer.at(longer.open_time_s + interval.seconds <= candles.open_time_s[-1] + 3600)


async def import_candles(
    data_service: "MarketDataServiceAsyncStub", symbol: str, candles: Candles
) -> market_data_service_pb2.ImportCandlesResponse:
    """Import one crypto's candles."""
    return await write_candles(data_service, symbol, candles)


async def events_of(
    gateway: "BacktestServiceAsyncStub", request: pb.RunBacktestsRequest
) -> AsyncIterator[pb.RunBacktestsResponse]:
    """Yield the events of a run."""
    async for event in gateway.RunBacktests(request):
        yield event


def results_in(event: pb.RunBacktestsResponse) -> list[BacktestResult]:
    """Return the results of an event; only two or more share one."""
    if event.HasField("results"):
        assert len(event.results.results) > 1
        return list(event.results.results)
    return [event.result] if event.HasField("result") else []
