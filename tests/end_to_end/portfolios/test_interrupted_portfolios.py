"""Portfolios that are cancelled, whose stream breaks off or whose worker dies."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.gateway.v1 import run_events_pb2, run_service_pb2
from backcast.gateway.v1.backtest_service_pb2 import (
    CACHE_MODE_DEFAULT,
)
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.portfolios.accounts import EVERYTHING, Traded, portfolio_request, traded
from tests.end_to_end.processes import compute_workers, workers_held
from tests.known_runs import known_run

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """A second client of the gateway, on a connection of its own."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


async def test_a_cancelled_portfolio_ends_for_its_client_and_frees_the_workers(
    observed: Observed, market: dict[str, Candles]
) -> None:
    async with open_channel(observed.stack.gateway_address) as channel, workers_held(observed.stack):
        runs = RunServiceStub(channel)
        call = PortfolioServiceStub(channel).RunPortfolio(
            portfolio_request(EVERYTHING, run_id="cancel-portfolio")
        )
        assert (await anext(aiter(call))).started.crypto_count == 12
        listed = await known_run(runs, "cancel-portfolio")
        assert (listed.method, listed.strategy) == ("RunPortfolio", "rsi, supertrend")
        assert (listed.backtest_count, listed.watcher_count) == (24, 1)
        answer = await runs.CancelRun(run_service_pb2.CancelRunRequest(run_id="cancel-portfolio"))
        assert answer.run.state == run_service_pb2.RUN_STATE_CANCELLED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in call]
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.CANCELLED,
        "the run was cancelled",
    )
    await observed.metrics.until_nobody_works()


async def test_a_portfolio_whose_stream_broke_is_resumed_without_a_gap(
    portfolios: "PortfolioServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = await traded(portfolios, portfolio_request(EVERYTHING))
    for after in (1, 2):
        run_id = f"portfolio-broken-after-{after}"
        call = portfolios.RunPortfolio(portfolio_request(EVERYTHING, run_id=run_id))
        before = []
        async for event in call:
            before.append(event)
            if event.sequence == after:
                break
        call.cancel()
        request = run_service_pb2.WatchRunRequest(run_id=run_id, after_sequence=after)
        rest = [answer.portfolio_event async for answer in runs.WatchRun(request)]
        assert Traded([*before, *rest]).outcome == whole.outcome
        again = runs.WatchRun(run_service_pb2.WatchRunRequest(run_id=run_id))
        assert [answer.portfolio_event async for answer in again] == [*before, *rest]


async def test_a_worker_that_dies_in_a_portfolio_changes_nothing(
    stack: LocalStack, portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = await traded(portfolios, portfolio_request(EVERYTHING))
    async with workers_held(stack):
        call = portfolios.RunPortfolio(portfolio_request(EVERYTHING))
        started = await anext(aiter(call))
        compute_workers(stack)[0].kill()
    assert Traded([started, *[event async for event in call]]).outcome == whole.outcome


async def test_a_portfolio_depends_neither_on_the_number_of_workers_nor_on_the_cache(
    stack: LocalStack,
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    short_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = await traded(portfolios, portfolio_request(EVERYTHING))
    monkeypatch.setenv("BACKCAST_COMPUTE_WORKERS", "1")
    settings = StackSettings(
        *(short_folder / "one-for-portfolios", 0, 0, 0),
        database_url=stack.database_url,
        # Nobody listens there.
        redis_url="redis://127.0.0.1:1",
        quiet=True,
    )
    request = portfolio_request(EVERYTHING, cache_mode=CACHE_MODE_DEFAULT)
    async with LocalStack(settings) as other, open_channel(other.gateway_address) as channel:
        theirs = await traded(PortfolioServiceStub(channel), request)
    assert theirs.outcome == ours.outcome
    assert theirs.summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE
