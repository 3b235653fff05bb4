"""Several results share an event where the client asks for it, and nothing else is different."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from services.wire.backtests import strategy_to
from tests.candle_making import events_of, results_in

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


def request(results_per_event: int, **fields: object) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(
        symbols=SYMBOLS,
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        max_results_per_event=results_per_event,
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("cache_mode", [pb.CACHE_MODE_BYPASS, pb.CACHE_MODE_REFRESH, pb.CACHE_MODE_DEFAULT])
async def test_results_are_the_same_however_many_share_an_event(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], cache_mode: pb.CacheMode.ValueType
) -> None:
    alone = [event async for event in events_of(gateway, request(0, cache_mode=cache_mode))]
    shared = [event async for event in events_of(gateway, request(5, cache_mode=cache_mode))]
    assert (
        alone[0].started.request.max_results_per_event,
        shared[0].started.request.max_results_per_event,
    ) == (
        1,
        5,
    )
    assert {event.WhichOneof("event") for event in alone} == {"started", "result", "summary"}
    kinds = [event.WhichOneof("event") for event in shared]
    assert (kinds[0], kinds[1], kinds[-1]) == ("started", "result", "summary")
    # The number and the progress of an event are those of its last result.
    done = 0
    for event in shared[1:-1]:
        assert len(results_in(event)) <= 5
        done += len(results_in(event))
        assert (event.sequence, event.progress.completed) == (1 + done, done)
    assert shared[-1].sequence == 14

    def by_symbol(events: list[pb.RunBacktestsResponse]) -> dict[str, BacktestResult]:
        return {result.symbol: result for event in events for result in results_in(event)}

    assert by_symbol(shared).keys() == set(SYMBOLS)
    for symbol, result in by_symbol(alone).items():
        result.from_cache = by_symbol(shared)[symbol].from_cache
        assert result == by_symbol(shared)[symbol]


async def test_a_stream_groups_what_is_there_and_is_taken_up_after_any_event(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = [event async for event in events_of(gateway, request(1, run_id="grouped"))]

    async def watched(after: int) -> list[pb.RunBacktestsResponse]:
        watch = run_service_pb2.WatchRunRequest(
            run_id="grouped", after_sequence=after, max_results_per_event=5
        )
        return [answer.event async for answer in runs.WatchRun(watch)]

    grouped = await watched(0)
    assert [len(results_in(event)) for event in grouped] == [0, 1, 5, 5, 1, 0]
    assert [result for event in grouped for result in results_in(event)] == [
        result for event in whole for result in results_in(event)
    ]
    for event in grouped:
        rest = await watched(event.sequence)
        assert [result.symbol for each in rest for result in results_in(each)] == [
            each.result.symbol for each in whole[event.sequence :] if each.HasField("result")
        ]


@pytest.mark.parametrize("count", [-1, 1_001])
async def test_a_number_of_results_that_no_event_has_is_refused(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles], count: int
) -> None:
    _ = [event async for event in events_of(gateway, request(1, run_id="refused-number"))]
    watch = run_service_pb2.WatchRunRequest(run_id="refused-number", max_results_per_event=count)
    for call in (gateway.RunBacktests(request(count)), runs.WatchRun(watch)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [event async for event in call]
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in violations_of(caught.value)] == ["max_results_per_event"]
