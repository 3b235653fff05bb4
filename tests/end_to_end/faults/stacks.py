"""Stacks for tests that harm processes, and work that takes them long enough to be harmed at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from backcast.compute.v1 import compute_service_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1.market_data_service_pb2 import ListCryptosRequest
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.rules import Call, Column, Number
from backcast_engine.rules.nodes import Expression
from backcast_engine.strategies.custom_rules import CustomRules
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import import_candles, random_candles
from tests.end_to_end.operations.service_metrics import serve_metrics
from tests.end_to_end.sweeps.sweeping import sweep_request
from tests.requests import with_spec

SYMBOLS = ["LONG0USDT", "LONG1USDT"]
_HOURS = 24 * 365 * 12
_START_S = 1_325_376_000  # 2012-01-01T00:00:00Z
_EXECUTION = {"direction": "DIRECTION_LONG_SHORT"} | {
    kind: {"atrMultiple": 3} for kind in ("stopLoss", "takeProfit", "trailingStop")
}


@asynccontextmanager
async def stack_of_its_own(folder: Path, **environment: str) -> AsyncIterator[LocalStack]:
    """Start everything, with metrics and two cryptos of twelve years; `environment` sets the services."""
    settings = StackSettings(folder, 0, 0, 0, database_url=None, redis_url=None, quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        serve_metrics(patch)
        for name, value in {"BACKCAST_RETENTION_DAYS": "0", **environment}.items():
            patch.setenv(name, value)
        async with LocalStack(settings) as stack, open_channel(stack.data_address) as channel:
            for number, symbol in enumerate(SYMBOLS):
                candles = random_candles(number, _HOURS, _START_S)
                await import_candles(MarketDataServiceStub(channel), symbol, candles)
            yield stack


_RANGES = [
    {"name": "period", "values": list(range(2, 258))},
    {"name": "multiple", "values": [1 + number / 10 for number in range(10)]},
]
_WINDOW = {"startTime": "2012-01-01T00:00:00Z", "endTime": "2024-01-01T00:00:00Z"}

SWEEP_BACKTESTS = len(SYMBOLS) * 256 * 10


def long_sweep() -> pb.SweepBacktestsRequest:
    """Return a sweep of a minute, whose every task takes seconds."""
    return sweep_request(strategy={"supertrend": {}}, ranges=_RANGES, **_common())


async def chunks_request(
    stack: LocalStack, chunk_size: int, count: int
) -> compute_service_pb2.ComputeSweepRequest:
    """Return what asks compute for so many chunks of that sweep for each crypto; one of 50 takes a second."""
    async with open_channel(stack.data_address) as channel:
        page = await MarketDataServiceStub(channel).ListCryptos(ListCryptosRequest(symbols=SYMBOLS))
    cryptos = [
        {
            "crypto": {"symbol": crypto.symbol, "fingerprint": crypto.fingerprint},
            "chunks": list(range(count)),
        }
        for crypto in page.cryptos
    ]
    asked = {
        "cryptos": cryptos,
        "strategy": {"supertrend": {}},
        "ranges": _RANGES,
        "interval": "INTERVAL_1H",
        **_WINDOW,
        "windows": [_WINDOW],
        "execution": _EXECUTION,
        "chunkSize": chunk_size,
    }
    return ParseDict(with_spec(**asked), compute_service_pb2.ComputeSweepRequest())


def long_run() -> pb.RunBacktestsRequest:
    """Return a run whose every task takes a quarter of a second: rules with very many indicators."""
    request = ParseDict(with_spec(**_common()), pb.RunBacktestsRequest())
    request.spec.strategy.CopyFrom(strategy_to(CustomRules(_slow_rule(5), _slow_rule(200))))
    return request


def long_series() -> pb.StreamSeriesRequest:
    """Return a request for the series of the strategy of `long_run`, on one crypto: as long as its task."""
    run = long_run()
    return pb.StreamSeriesRequest(symbol=SYMBOLS[0], spec=run.spec)


def _common() -> dict[str, Any]:
    return {
        "symbols": SYMBOLS,
        "startTime": "2012-01-01T00:00:00Z",
        "execution": _EXECUTION,
        "cacheMode": "CACHE_MODE_BYPASS",
    }


def _slow_rule(period: int) -> Expression:
    """Return a condition of nearly as many indicators as there may be, which always holds."""
    total: Expression = Number(1)
    for _ in range(3):
        series: Expression = Column("close")
        for _ in range(26):
            series = Call("rsi", (series, Number(period)))
            period += 1
        total = Call("add", (total, series))
    return Call("less", (total, Number(1_000)))
