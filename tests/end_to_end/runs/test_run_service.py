"""Runs by name: listed, cancelled, watched, and taken up where their stream broke."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.sweep_pb2 import ParameterRange
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine import STRATEGIES
from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.rpc.status import violations_of
from services.wire.backtests import strategy_to
from tests.candle_making import events_of
from tests.error_info import error_info
from tests.known_runs import known_run, known_runs
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub

RUNNING, PAUSED, COMPLETED, CANCELLED = (
    run_service_pb2.RUN_STATE_RUNNING,
    run_service_pb2.RUN_STATE_PAUSED,
    run_service_pb2.RUN_STATE_COMPLETED,
    run_service_pb2.RUN_STATE_CANCELLED,
)


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """A second client of the gateway, on a connection of its own."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


@pytest.fixture
async def narrow_gateway(stack: LocalStack) -> "AsyncIterator[BacktestServiceAsyncStub]":
    """A client whose connection takes 64 KiB in advance at most: a run with curves waits for its reader."""
    options = [("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(stack.gateway_address, options=options) as channel:
        yield BacktestServiceStub(channel)


def request(**fields: object) -> pb.RunBacktestsRequest:
    symbols = [f"RUN{number:02}USDT" for number in range(12)]
    return pb.RunBacktestsRequest(
        **with_spec(
            **{
                "symbols": symbols,
                "strategy": strategy_to(Rsi()),
                "cache_mode": pb.CACHE_MODE_BYPASS,
                **fields,
            }  # type: ignore[arg-type]
        )
    )


async def watched(runs: "RunServiceAsyncStub", run_id: str, after: int = 0) -> list[pb.RunBacktestsResponse]:
    call = runs.WatchRun(run_service_pb2.WatchRunRequest(run_id=run_id, after_sequence=after))
    return [answer.event async for answer in call]


async def broken_off(gateway: "BacktestServiceAsyncStub", run_id: str, after: int) -> list[Any]:
    """Return the first events of a run whose stream breaks then."""
    call = gateway.RunBacktests(request(run_id=run_id))
    events = []
    async for event in call:
        events.append(event)
        if event.sequence == after:
            break
    call.cancel()
    return events


async def test_the_id_is_in_the_metadata_and_the_events_are_numbered(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    call = gateway.RunBacktests(request(run_id="my-run.1"))
    assert dict(await call.initial_metadata())["backcast-run-id"] == "my-run.1"
    events = [event async for event in call]
    assert events[0].started.run_id == events[0].started.request.run_id == "my-run.1"
    assert [event.sequence for event in events] == list(range(1, 15))


async def test_every_method_returns_an_id(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    get = gateway.RunBacktest(
        pb.RunBacktestRequest(symbol="RUN00USDT", spec=BacktestSpec(strategy=strategy_to(Rsi())))
    )
    sweep = gateway.SweepBacktests(
        pb.SweepBacktestsRequest(
            symbols=["RUN00USDT"],
            spec=BacktestSpec(strategy=strategy_to(Rsi())),
            ranges=[ParameterRange(name="period", values=[Value(number_value=5)])],
            run_id="sweep-it",
        )
    )
    run_id = dict(await get.initial_metadata())["backcast-run-id"]
    assert (await get).request.run_id == run_id
    assert len(run_id) == 32
    assert dict(await sweep.initial_metadata())["backcast-run-id"] == "sweep-it"
    events = [event async for event in sweep]
    assert events[0].started.run_id == "sweep-it"
    series = gateway.StreamSeries(
        pb.StreamSeriesRequest(symbol="RUN00USDT", spec=BacktestSpec(strategy=strategy_to(Rsi())))
    )
    run_id = dict(await series.initial_metadata())["backcast-run-id"]
    responses = [response async for response in series]
    assert responses[0].request.run_id == run_id


async def test_the_id_of_a_run_that_is_refused_is_free_again(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    call = gateway.RunBacktests(request(symbols=["NOPE"], run_id="refused"))
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len([event async for event in events_of(gateway, request(run_id="refused"))]) == 14


async def test_a_broken_stream_is_taken_up_without_a_gap_or_a_double(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    whole = {event.result.symbol: event.result async for event in events_of(gateway, request())}
    for after in (1, 2, 7, 13):
        run_id = f"broken-after-{after}"
        before = await broken_off(gateway, run_id, after)
        rest = await watched(runs, run_id, after)
        assert [event.sequence for event in (*before, *rest)] == list(range(1, 15))
        results = {event.result.symbol: event.result for event in (*before, *rest)}
        assert results == whole
        assert rest[-1].progress.completed == 12
        # All of it once more, and on the connection of the first.
        again = await watched(runs, run_id)
        assert again == [*before, *rest]
        assert (await known_run(runs, run_id)).state == COMPLETED


async def test_pages_of_runs_hold_every_run_once_the_oldest_first(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    for number in range(3):
        events = events_of(gateway, request(run_id=f"page-{number}", symbols=["RUN00USDT"]))
        assert [event async for event in events][-1].HasField("summary")
    asked = run_service_pb2.ListRunsRequest(page_size=2)
    pages = []
    while True:
        page = await runs.ListRuns(asked)
        pages.append([run.run_id for run in page.runs])
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert all(len(page) == 2 for page in pages[:-1])
    paged = [run_id for page in pages for run_id in page]
    everything = await known_runs(runs)
    # The oldest runs, of other tests, may have been forgotten meanwhile.
    assert paged[-len(everything) :] == [run.run_id for run in everything]
    assert len(set(paged)) == len(paged)
    assert [run.run_id for run in everything][-3:] == ["page-0", "page-1", "page-2"]
    starts = [run.start_time.ToNanoseconds() for run in everything]
    assert starts == sorted(starts)


async def test_pages_of_strategies_hold_every_strategy_once_by_name(
    gateway: "BacktestServiceAsyncStub",
) -> None:
    asked = pb.ListStrategiesRequest(page_size=5)
    names: list[str] = []
    while True:
        page = await gateway.ListStrategies(asked)
        names += [strategy.name for strategy in page.strategies]
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert names == sorted(STRATEGIES)


@pytest.mark.parametrize("method", ["runs", "strategies", "cryptos"])
async def test_a_token_that_is_none_is_named(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", method: str
) -> None:
    calls: dict[str, Any] = {
        "runs": lambda: runs.ListRuns(run_service_pb2.ListRunsRequest(page_token="next")),
        "strategies": lambda: gateway.ListStrategies(pb.ListStrategiesRequest(page_token="next")),
        "cryptos": lambda: gateway.ListCryptos(pb.ListCryptosRequest(page_token="next")),
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls[method]()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == ["page_token"]


async def test_a_run_is_watched_by_two_at_once(
    narrow_gateway: "BacktestServiceAsyncStub",
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    call = narrow_gateway.RunBacktests(request(run_id="two-watch", detail=result_pb2.DETAIL_EQUITY))
    first = [await anext(aiter(call))]
    assert (await known_run(runs, "two-watch")).watcher_count == 1
    second = await watched(runs, "two-watch")
    first += [event async for event in call]
    assert first == second
    assert len(first) == 14


async def test_a_left_run_is_listed_and_can_be_asked_for_anew(
    narrow_gateway: "BacktestServiceAsyncStub",
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    slow = request(run_id="left", detail=result_pb2.DETAIL_EQUITY)
    call = narrow_gateway.RunBacktests(slow)
    await anext(aiter(call))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in events_of(narrow_gateway, slow)]
    assert error_info(caught.value) == ("ALREADY_EXISTS", ErrorReason.RUN_ALREADY_EXISTS, {"run_id": "left"})
    call.cancel()
    while (info := await known_run(runs, "left")).state == RUNNING:
        pass
    assert (info.state in (PAUSED, COMPLETED), info.watcher_count) == (True, 0)
    assert (info.method, info.client, info.strategy, info.backtest_count) == (
        "RunBacktests",
        "anonymous",
        "rsi",
        12,
    )
    assert info.start_time.seconds > 1_700_000_000
    assert len([event async for event in events_of(narrow_gateway, slow)]) == 14


def unread_sweep(run_id: str) -> pb.SweepBacktestsRequest:
    """Return a sweep of more than fits on the way: unread, it is under way until it is cancelled."""
    return pb.SweepBacktestsRequest(
        spec=BacktestSpec(strategy=strategy_to(Rsi())),
        symbols=list(request().symbols),
        ranges=[
            ParameterRange(name="period", values=[Value(number_value=number) for number in range(2, 2002)])
        ],
        cache_mode=pb.CACHE_MODE_BYPASS,
        run_id=run_id,
    )


async def test_a_sweep_cannot_be_watched(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    call = gateway.SweepBacktests(unread_sweep("watch-sweep"))
    assert (await anext(aiter(call))).HasField("started")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(runs, "watch-sweep")
    assert error_info(caught.value) == ("FAILED_PRECONDITION", ErrorReason.RUN_NOT_WATCHABLE, {})
    assert caught.value.details() == "SweepBacktests cannot be watched: start it again"
    call.cancel()


async def test_a_cancelled_run_ends_for_its_client(
    gateway: "BacktestServiceAsyncStub", runs: "RunServiceAsyncStub", market: dict[str, Candles]
) -> None:
    call = gateway.SweepBacktests(unread_sweep("cancel-me"))
    assert (await anext(aiter(call))).started.backtest_count == 24_000
    answer = await runs.CancelRun(run_service_pb2.CancelRunRequest(run_id="cancel-me"))
    assert (answer.run.state, answer.run.run_id) == (CANCELLED, "cancel-me")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in call]
    assert error_info(caught.value) == ("CANCELLED", ErrorReason.RUN_CANCELLED, {})
    assert caught.value.details() == "the run was cancelled"
    assert "cancel-me" not in {info.run_id for info in await known_runs(runs)}


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"run_id": ""}, ["run_id"]),
        ({"run_id": "watch-badly", "after_sequence": -1}, ["after_sequence"]),
        (
            {"run_id": "watch-badly", "after_sequence": 15, "max_results_per_event": -1},
            ["after_sequence", "max_results_per_event"],
        ),
    ],
)
async def test_bad_fields_are_named(
    gateway: "BacktestServiceAsyncStub",
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
    asked: dict[str, Any],
    fields: list[str],
) -> None:
    _ = [event async for event in events_of(gateway, request(run_id="watch-badly"))]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [answer async for answer in runs.WatchRun(run_service_pb2.WatchRunRequest(**asked))]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations_of(caught.value)] == fields


async def test_a_run_that_is_not_there_is_not_found(runs: "RunServiceAsyncStub") -> None:
    for call in (
        runs.CancelRun(run_service_pb2.CancelRunRequest(run_id="nobody")),
        anext(aiter(runs.WatchRun(run_service_pb2.WatchRunRequest(run_id="nobody")))),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert error_info(caught.value) == ("NOT_FOUND", ErrorReason.RUN_NOT_FOUND, {"run_id": "nobody"})
        assert "there is no run 'nobody'" in (caught.value.details() or "")


async def test_a_bad_run_id_is_named(gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in events_of(gateway, request(run_id="a b"))]
    assert [violation.field for violation in violations_of(caught.value)] == ["run_id"]
