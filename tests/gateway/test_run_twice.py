"""A run's events that are closed at any moment and opened again: each comes once."""

from contextlib import aclosing
from typing import Any, cast

import pytest

from backcast.compute.v1.compute_service_pb2 import ComputeBacktestsResponse, ComputeFailure
from services.domain.interval import Interval
from services.engine import Backtest, Detail, Execution, Window
from services.engine.strategies.rsi import Rsi
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.backtest_events import BacktestEvents
from services.gateway.runs.report import RunReport

SYMBOLS = ["A", "B", "C"]


class Failures:
    """In the place of the compute service, which is not what this is about."""

    async def outcomes(self, _: object, cryptos: list[CryptoData]) -> Any:
        for crypto in cryptos:
            yield ComputeBacktestsResponse(failure=ComputeFailure(symbol=crypto.symbol))


def new_run() -> BacktestEvents:
    plan = RunPlan(
        [CryptoData(symbol, "1", 0, 0, "1") for symbol in SYMBOLS],
        [],
        Backtest(Rsi(), Interval.HOUR_1, Window(0, 3600), Execution(), Detail.METRICS, 0),
        CacheMode.BYPASS,
    )
    nothing, compute = cast("Any", None), cast("Any", Failures())
    return BacktestEvents(plan, nothing, nothing, compute, RunReport("one", "RunBacktests", "a", "rsi"), 0)


@pytest.mark.parametrize("first", range(1, 6))
async def test_a_run_that_is_closed_after_any_event_goes_on_with_the_next(first: int) -> None:
    run, events = new_run(), []
    for count in (first, 9):
        async with aclosing(run.events()) as stream:
            async for event in stream:
                events.append(event)
                if len(events) == count:
                    break
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["started", "failure", "failure", "failure", "summary"]
    assert [event.failure.symbol for event in events[1:4]] == SYMBOLS
