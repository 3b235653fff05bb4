"""Sweeps of each kind on a Dask cluster: their outcome is that of the local pool, bit by bit."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.marketdata.v1.interval_pb2 import INTERVAL_1H, INTERVAL_4H
from backcast_engine.candles import Candles
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.compute.dask_processes import DaskProcesses, connected
from tests.end_to_end.portfolios.accounts import PORTFOLIO
from tests.end_to_end.portfolios.sweeps import parameter, setting
from tests.end_to_end.portfolios.sweeps import sweep_request as portfolio_sweep_request
from tests.end_to_end.portfolios.sweeps import swept as swept_portfolios
from tests.end_to_end.sweeps.sweeping import sweep_request, swept
from tests.end_to_end.sweeps.test_sweeps_over_anything import rules_of
from tests.folders import new_folder

SYMBOLS = ["RUN01USDT", "RUN02USDT", "RUN05USDT"]
RULES = ("rsi({n}) < {low} and close > sma(10)@1d", "rsi({n}) > 60 or close@RUN03USDT < 1")
KINDS: dict[str, dict[str, Any]] = {
    "rules": {
        "ranges": [{"name": "n", "values": [5, 9]}, {"name": "low", "values": [30, 45]}],
        "executionRanges": [
            {"name": "stop_loss", "values": [{"stopLoss": {"fraction": 0.03}}, {}]},
            {"name": "direction", "values": [{"direction": "DIRECTION_LONG_SHORT"}, {}]},
        ],
        "split": 0.7,
    },
    "folds over intervals": {
        "strategy": {"rsi": {"oversold": 40, "overbought": 60}},
        "intervals": ["INTERVAL_1H", "INTERVAL_4H"],
        "ranges": [{"name": "period", "values": [3, 7, 12]}],
        "foldCount": 3,
    },
    "optimized folds": {
        "strategy": {"rsi": {}},
        "ranges": [
            {"name": "period", "values": [*range(2, 16)]},
            {"name": "oversold", "values": [30, 40, 45]},
        ],
        "foldCount": 2,
        "search": {"method": "SEARCH_METHOD_TPE", "combinationCount": 20},
    },
}
PORTFOLIO_KINDS: dict[str, dict[str, Any]] = {
    "split": {
        "ranges": [parameter("period", 5, 9)],
        "portfolio_ranges": [setting("max_positions", {"max_positions": 2}, {"max_positions": 5})],
        "split": 0.7,
    },
    "folds over intervals": {
        "ranges": [parameter("period", 5, 9)],
        "intervals": [INTERVAL_1H, INTERVAL_4H],
        "fold_count": 3,
    },
    "optimized folds": {
        "ranges": [parameter("period", *range(2, 16)), parameter("oversold", 30, 40, 45)],
        "fold_count": 2,
        "search": sweep_pb2.SweepSearch(method=sweep_pb2.SEARCH_METHOD_TPE, combination_count=20),
    },
}


@pytest.fixture(scope="module")
async def far(
    stack: LocalStack, short_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalStack]:
    """Services beside those of `stack`, on the same database, whose compute service has a Dask cluster."""
    folder = new_folder(short_folder, "far")
    settings = StackSettings(
        folder, 0, 0, 0, database_url=stack.database_url, redis_url=stack.redis_url, quiet=True
    )
    async with DaskProcesses(tmp_path_factory.mktemp("dask")) as cluster:
        # Its workers listen, before the services choose ports that are free.
        async with connected(cluster):
            pass
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("BACKCAST_COMPUTE_EXECUTOR", f"dask://{cluster.address}")
            async with LocalStack(settings) as far:
                yield far
    # Its workers fetched the candles: the service has none for workers of this machine.
    assert not (folder / "columns").exists()


@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
async def test_a_sweep_has_the_same_outcome_on_the_cluster(
    far: LocalStack, stack: LocalStack, market: dict[str, Candles], fields: dict[str, Any]
) -> None:
    outcomes = []
    for each in (far, stack):
        async with open_channel(each.gateway_address) as channel:
            gateway = BacktestServiceStub(channel)
            rules = {"rules": await rules_of(gateway, *RULES)}
            request = sweep_request(
                **{"symbols": SYMBOLS, "startTime": "2024-01-31T00:00:00Z", "curvePoints": 0},
                **{"cacheMode": "CACHE_MODE_BYPASS", "strategy": rules, **fields},
            )
            sweep = await swept(gateway, request)
            assert sweep.summary.progress.from_cache == sweep.summary.progress.failed == 0
            outcomes.append(sweep.outcome)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("fields", PORTFOLIO_KINDS.values(), ids=PORTFOLIO_KINDS)
async def test_a_sweep_over_portfolios_has_the_same_outcome_on_the_cluster(
    far: LocalStack, stack: LocalStack, market: dict[str, Candles], fields: dict[str, Any]
) -> None:
    outcomes = []
    for each in (far, stack):
        async with open_channel(each.gateway_address) as channel:
            request = portfolio_sweep_request(PORTFOLIO, **fields)
            sweep = await swept_portfolios(PortfolioServiceStub(channel), request)
            summary = sweep.summary
            assert summary.progress.from_cache == summary.progress.failed == 0
            outcomes.append([sweep.rows, list(sweep.best), summary.walk_forward, summary.selection_bias])
    assert outcomes[0] == outcomes[1]
