"""The processes behind a sweep: it stops when its client leaves, and does not depend on who computes it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.processes import compute_workers, gateway_beside
from tests.end_to_end.sweeps.sweeping import Swept, sweep_events, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub


def asked(periods: range, **fields: Any) -> pb.SweepBacktestsRequest:
    """A hundred backtests of a period on ten cryptos."""
    ranges = [
        {"name": "period", "values": list(periods)},
        {"name": "oversold", "values": [20 + 2 * number for number in range(10)]},
    ]
    symbols = [f"RUN{number:02}USDT" for number in range(10)]
    common = {"symbols": symbols, "strategy": {"rsi": {}}, "startTime": "2024-01-01T00:00:00Z"}
    return sweep_request(**common, ranges=ranges, **fields)


async def progress_until(
    gateway: "BacktestServiceAsyncStub", request: pb.SweepBacktestsRequest, *, computed: int
) -> Any:
    """Return the first progress that has so many backtests which are not from the cache, then leave."""
    call = gateway.SweepBacktests(request)
    async for event in call:
        if event.HasField("progress") and event.progress.completed - event.progress.from_cache >= computed:
            call.cancel()
            return event.progress
    raise AssertionError("the sweep came to its end")


async def test_a_client_that_leaves_stops_the_work_and_keeps_what_was_done(
    observed: Observed, observed_gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    before = await observed.metrics.backtests()
    request = asked(range(2, 2002), execution={"slippageBps": 1.125})
    left = await progress_until(observed_gateway, request, computed=2_000)
    assert left.total == 200_000
    await observed.metrics.until_nobody_works()
    assert await observed.metrics.backtests() - before < left.total
    again = await progress_until(observed_gateway, request, computed=1)
    assert again.from_cache >= left.completed


async def test_a_worker_that_dies_in_a_sweep_changes_nothing(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    request = asked(range(2, 62), cacheMode="CACHE_MODE_BYPASS", split=0.5)
    whole = await swept(gateway, request)
    events = []
    killed: list[int] = []
    async for event in sweep_events(gateway, request):
        events.append(event)
        if event.HasField("progress") and not killed:
            worker = compute_workers(stack)[0]
            killed.append(worker.pid)
            worker.kill()
    assert killed
    assert Swept(events).outcome == whole.outcome
    assert whole.summary.progress.completed == 12_000


async def test_the_outcome_does_not_depend_on_the_number_of_workers(
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    short_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKCAST_COMPUTE_WORKERS", "1")
    requests = [asked(range(2, 14), cacheMode="CACHE_MODE_BYPASS", **cut) for cut in ({}, {"foldCount": 2})]
    async with gateway_beside(stack, short_folder / "one") as other:
        for request in requests:
            ours, theirs = [await swept(each, request) for each in (gateway, other)]
            assert ours.outcome == theirs.outcome
