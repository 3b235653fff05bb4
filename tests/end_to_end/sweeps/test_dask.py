"""Compute on a Dask cluster: its workers fetch the candles, and the results are those of the local pool."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.marketdata.v1 import market_data_service_pb2
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine import Backtest, BacktestResult, Detail, Execution, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.sweep import (
    ChunkFigures,
    ParameterValues,
    Sweep,
    SweepChunk,
    compute_chunk,
    make_grid,
)
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.location import DataVersion
from services.compute.candles.remote import RemoteProvider
from services.compute.candles.source import CandleSource
from services.compute.tasks.batch import Task
from services.compute.tasks.jobs import ComputeJob, backtest_job, computed_result, sweep_job
from services.compute.tasks.portfolio.run import TradedPortfolio, portfolio_outcomes
from services.compute.tasks.runner import TaskOutcome, TaskRunner
from services.compute.workers.dask_cluster import DaskCluster
from services.domain.errors import Unavailable
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of
from tests.compute.dask_processes import DaskProcesses, connected, kill
from tests.compute.one_worker import one_worker
from tests.compute.running import outcomes_of
from tests.end_to_end.conftest import HOURS
from tests.end_to_end.portfolios.accounts import PORTFOLIO, in_process
from tests.end_to_end.processes import gateway_beside

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOUR = Interval.HOUR_1
COLUMNS = ("open", "high", "low", "close")
WINDOW = Window(START_S, START_S + 3600 * HOURS)
TASKS = [
    Task(run_backtest, Backtest(Rsi(period=period), HOUR, WINDOW, Execution(), Detail.TRADES))
    for period in range(2, 62)
]


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DaskProcesses]:
    async with DaskProcesses(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.fixture
async def cluster(processes: DaskProcesses) -> AsyncIterator[DaskCluster]:
    async with connected(processes) as cluster:
        yield cluster


@pytest.fixture
async def cryptos(
    data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> list[DataVersion]:
    """Return the versions of the cryptos that the gateway would send to compute now."""
    request = market_data_service_pb2.ListCryptosRequest(symbols=market)
    return [
        DataVersion(crypto.symbol, crypto.fingerprint)
        for crypto in (await data_service.ListCryptos(request)).cryptos
    ]


def results_by_task(outcomes: list[TaskOutcome]) -> dict[tuple[DataVersion, Backtest], object]:
    results = {(outcome.data, outcome.task.argument): outcome.result for outcome in outcomes if outcome.task}
    assert len(results) == len(outcomes)
    return results


async def test_a_portfolio_on_the_cluster_is_that_of_the_engine(
    cluster: DaskCluster, stack: LocalStack, cryptos: list[DataVersion], market: dict[str, Candles]
) -> None:
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    portfolio = replace(PORTFOLIO, rank=call("roc", CLOSE, 24))
    async with aclosing(portfolio_outcomes(runner, cryptos, [portfolio])) as outcomes:
        *progress, traded = [outcome async for outcome in outcomes]
    assert progress[-1] == len(market)
    assert isinstance(traded, TradedPortfolio)
    assert isinstance(traded.result, list)
    parts = [part for each in traded.result for part in ComputedResult.FromString(each).parts]
    assert PortfolioResult.FromString(b"".join(parts)) == in_process(portfolio, market)


async def test_a_worker_is_killed_and_the_results_are_equal_and_complete(
    cluster: DaskCluster,
    processes: DaskProcesses,
    stack: LocalStack,
    cryptos: list[DataVersion],
    tmp_path: Path,
) -> None:
    far: list[TaskOutcome] = []
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    killed = False
    async with aclosing(runner.run(ComputeJob(cryptos, HOUR, COLUMNS, lambda _: TASKS))) as gathered:
        async for outcomes in gathered:
            far += outcomes
            if len(far) >= 20 and not killed:
                killed = True
                await kill(processes.workers[0])
    async with one_worker() as pool, open_channel(stack.data_address) as channel:
        supply = ColumnProvider(ColumnFiles(tmp_path, 1.0), CandleSource(MarketDataServiceStub(channel)))
        near = await outcomes_of(
            TaskRunner(pool, supply), ComputeJob(cryptos, HOUR, COLUMNS, lambda _: TASKS)
        )
    assert len(far) == len(cryptos) * len(TASKS)
    assert results_by_task(far) == results_by_task(near)


async def test_workers_fetch_short_histories_and_longer_ones_when_they_need_them(
    cluster: DaskCluster, stack: LocalStack, market: dict[str, Candles], cryptos: list[DataVersion]
) -> None:
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    for first in (2_000, 2_100, 1_300, 0):
        window = Window(START_S + 3600 * first, WINDOW.end_s)
        backtest = Backtest(MaCross(20, 100), HOUR, window, Execution(), Detail.TRADES)
        outcomes = await outcomes_of(runner, backtest_job(cryptos, backtest))
        assert {outcome.data.symbol: outcome.result for outcome in outcomes} == {
            symbol: computed_result(History(candles), backtest) for symbol, candles in market.items()
        }


async def test_a_worker_is_killed_in_a_sweep_and_the_figures_are_equal_and_complete(
    cluster: DaskCluster,
    processes: DaskProcesses,
    stack: LocalStack,
    market: dict[str, Candles],
    cryptos: list[DataVersion],
) -> None:
    grid = make_grid(Rsi(), [ParameterValues("period", range(2, 42)), ParameterValues("oversold", [30, 40])])
    sweep = Sweep(grid, HOUR, (WINDOW,), Execution(), (4,))
    job = await sweep_job(sweep, 10, {data: list(range(8)) for data in cryptos})
    figures: dict[tuple[str, int | None], bytes] = {}
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    killed = False
    async with aclosing(runner.run(job)) as gathered:
        async for outcomes in gathered:
            for outcome in outcomes:
                assert isinstance(outcome.result, ChunkFigures)
                assert outcome.task is not None
                figures[outcome.data.symbol, outcome.task.argument.first] = outcome.result.figures.tobytes()
            if len(figures) >= 10 and not killed:
                killed = True
                await kill(processes.workers[0])
    assert figures == {
        (data.symbol, first): compute_chunk(
            History(market[data.symbol]), SweepChunk(sweep, first, grid.possible()[first : first + 10])
        ).figures.tobytes()
        for data in cryptos
        for first in range(0, 80, 10)
    }


async def test_a_result_names_the_data_that_it_was_computed_from(
    cluster: DaskCluster, stack: LocalStack, cryptos: list[DataVersion]
) -> None:
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    asked = [DataVersion(data.symbol, "of long ago") for data in cryptos]
    outcomes = await outcomes_of(runner, ComputeJob(asked, HOUR, COLUMNS, lambda _: TASKS[:1]))
    assert sorted(outcome.data.symbol for outcome in outcomes) == sorted(data.symbol for data in asked)
    assert {outcome.data for outcome in outcomes} == set(cryptos)


async def test_candles_that_cannot_be_had_fail_their_crypto_only(
    cluster: DaskCluster, stack: LocalStack, cryptos: list[DataVersion]
) -> None:
    asked = [cryptos[0], DataVersion("NOBODYUSDT", "1")]
    runner = TaskRunner(cluster, RemoteProvider(stack.data_address))
    outcomes = await outcomes_of(runner, ComputeJob(asked, HOUR, COLUMNS, lambda _: TASKS[:1]))
    results = {outcome.data.symbol: outcome.result for outcome in outcomes}
    assert isinstance(results[cryptos[0].symbol], BacktestResult)
    assert isinstance(results["NOBODYUSDT"], InvalidInput)
    assert "there is no crypto 'NOBODYUSDT'" in str(results["NOBODYUSDT"])


async def test_a_data_service_that_is_away_is_one_clear_error(
    cluster: DaskCluster, cryptos: list[DataVersion]
) -> None:
    runner = TaskRunner(cluster, RemoteProvider(f"127.0.0.1:{free_ports(1)[0]}"))
    unknown = [DataVersion(data.symbol, "not here yet") for data in cryptos]
    outcomes = await outcomes_of(runner, ComputeJob(unknown, HOUR, COLUMNS, lambda _: TASKS[:1]))
    assert len(outcomes) == 12
    for outcome in outcomes:
        assert isinstance(outcome.result, Unavailable)
        assert str(outcome.result) == "the data service does not answer"


async def test_the_service_computes_on_the_cluster(
    cluster: DaskCluster,
    processes: DaskProcesses,
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    short_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKCAST_COMPUTE_EXECUTOR", f"dask://{processes.address}")
    request = pb.RunBacktestsRequest(
        symbols=market,
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        cache_mode=pb.CACHE_MODE_BYPASS,
        detail=3,
    )
    async with gateway_beside(stack, short_folder / "dask") as other:
        far, near = [
            {
                event.result.symbol: event.result.SerializeToString(deterministic=True)
                async for event in events_of(client, request)
                if event.HasField("result")
            }
            for client in (other, gateway)
        ]
        assert not (short_folder / "dask" / "columns").exists()
    assert len(far) == 12
    assert far == near
