"""A run's events that are closed at any moment and opened again: each comes once."""

from contextlib import aclosing
from typing import Any, cast

import pytest

from backcast.backtest.v1.result_pb2 import BacktestResult, Trade
from backcast.compute.v1.compute_service_pb2 import ComputeBacktestsResponse, ComputeFailure
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsResponse
from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.gateway.cache.run_cache import RunCache
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan
from services.gateway.runs.backtest_events import BacktestEvents
from services.gateway.runs.record import RunRecord
from services.wire.result_parts import PartJoiner
from tests.gateway.computed import computed_result

SYMBOLS = ["A", "B", "C"]


class Failures:
    """In the place of the compute service, which is not what this is about."""

    async def outcomes(self, _: object, cryptos: list[CryptoData], others: object) -> Any:
        for crypto in cryptos:
            yield ComputeBacktestsResponse(failures=[ComputeFailure(symbol=crypto.symbol)])


class LongResults:
    """In the same place: every result takes three events."""

    async def outcomes(self, _: object, cryptos: list[CryptoData], others: object) -> Any:
        for crypto in cryptos:
            result = computed_result(crypto.symbol, message=long_result(), total_return=0.5)
            yield ComputeBacktestsResponse(results=[result])


class LongResultsAtOnce:
    """In the same place: all results come together."""

    async def outcomes(self, _: object, cryptos: list[CryptoData], others: object) -> Any:
        yield ComputeBacktestsResponse(
            results=[
                computed_result(crypto.symbol, message=long_result(), total_return=0.5) for crypto in cryptos
            ]
        )


def long_result(**facts: str) -> BacktestResult:
    result = BacktestResult(trades=[Trade(units=number) for number in range(20_000)], **facts)
    result.metrics.total_return = 0.5
    return result


class ShortResultsAtOnce:
    """In the same place: all results come together, and are short."""

    async def outcomes(self, _: object, cryptos: list[CryptoData], others: object) -> Any:
        yield ComputeBacktestsResponse(results=[computed_result(crypto.symbol) for crypto in cryptos])


_Compute = Failures | LongResults | LongResultsAtOnce | ShortResultsAtOnce


def new_run(compute: _Compute, symbols: list[str] = SYMBOLS) -> BacktestEvents:
    plan = RunPlan(
        [CryptoData(symbol, "1", 0, 0, "1") for symbol in symbols],
        [],
        Backtest(Rsi(), Interval.HOUR_1, Window(0, 3600), Execution(), Detail.METRICS, 0),
        CacheMode.BYPASS,
    )
    nothing, record = cast("Any", None), RunRecord("one", "RunBacktests", "a", "rsi")
    return BacktestEvents(plan, RunCache(nothing, plan.cache_mode), nothing, cast("Any", compute), record, 0)


async def events_closed_after(first: int, run: BacktestEvents) -> list[RunBacktestsResponse]:
    """Return a run's events, closed after the first so many, or a few more, and opened again."""
    events: list[RunBacktestsResponse] = []
    for count in (first, 99):
        async with aclosing(run.events()) as stream:
            async for several in stream:
                events += [RunBacktestsResponse.FromString(event.serialized) for event in several]
                if len(events) >= count:
                    break
    return events


@pytest.mark.parametrize("first", range(1, 6))
async def test_a_run_that_is_closed_after_any_event_goes_on_with_the_next(first: int) -> None:
    events = await events_closed_after(first, new_run(Failures()))
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["started", "failure", "failure", "failure", "summary"]
    assert [event.failure.symbol for event in events[1:4]] == SYMBOLS


@pytest.mark.parametrize("compute", [LongResults(), LongResultsAtOnce()], ids=["one by one", "together"])
@pytest.mark.parametrize("first", range(1, 12))
async def test_a_run_that_is_closed_within_a_result_goes_on_with_its_next_part(
    first: int, compute: LongResults | LongResultsAtOnce
) -> None:
    events = await events_closed_after(first, new_run(compute))
    assert [event.sequence for event in events] == list(range(1, 12))
    assert [event.progress.completed for event in events] == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    kinds = [event.WhichOneof("event") for event in events]
    result = ["result", "result_continuation", "result_continuation"]
    assert kinds == ["started", *3 * result, "summary"]
    joiner = PartJoiner()
    whole = [joiner.joined(event) for event in events]
    assert [each.result.symbol for each in whole if each and each.HasField("result")] == SYMBOLS
    for each in whole[1:-1]:
        assert not each or each.result == long_result(symbol=each.result.symbol, data_fingerprint="1")


async def test_the_first_result_and_long_ones_share_no_event() -> None:
    async with aclosing(new_run(ShortResultsAtOnce()).events()) as stream:
        short = [event for several in [events async for events in stream] for event in several]
    async with aclosing(new_run(LongResults()).events()) as stream:
        long = [event for several in [events async for events in stream] for event in several]
    assert [bool(event.result) for event in short] == [False, False, True, True, False]
    assert not any(event.result for event in long)


async def test_so_many_events_are_yielded_at_once_that_others_have_their_turn() -> None:
    run = new_run(ShortResultsAtOnce(), [f"S{number}" for number in range(1_000)])
    async with aclosing(run.events()) as stream:
        counts = [len(events) async for events in stream]
    assert sum(counts) == 1_002
    assert max(counts) <= 256
