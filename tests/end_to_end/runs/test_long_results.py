"""Results of tens of thousands of trades reach a client that takes gRPC's default of 4 MiB, and no more."""

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from backcast.backtest.v1 import result_pb2
from backcast.compute.v1 import compute_service_pb2
from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.marketdata.v1 import market_data_service_pb2
from backcast_engine import Backtest, Detail, Execution, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.roc_momentum import RocMomentum
from services.local.stack import LocalStack
from services.rpc.status import violations_of
from services.wire.backtests import spec_to
from services.wire.result_parts import joined_parts
from services.wire.results import result_message
from tests.candle_making import START_S, import_candles, random_candles
from tests.cli.conftest import Cli

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

MIB = 2**20
TEN_YEARS = 87_600
WINDOW = Window(START_S - 3600 * TEN_YEARS, START_S)
LONG, OTHERS = "LONGUSDT", ["LONGAUSDT", "LONGBUSDT"]
STRATEGY = RocMomentum(period=1, buy_above=0, sell_below=0)
EXECUTION = Execution(fee_rate=0)


def zigzag() -> Candles:
    """Return ten years of hours that rise and fall in turn: the strategy trades at every second of them."""
    close = 100 + 0.001 * (np.arange(TEN_YEARS) % 2)
    open_ = np.concatenate(([100.0], close[:-1]))
    return Candles(
        open_time_s=WINDOW.start_s + 3600 * np.arange(TEN_YEARS, dtype=np.int64),
        open=open_,
        high=np.maximum(open_, close),
        low=np.minimum(open_, close),
        close=close,
        volume=np.ones(TEN_YEARS),
    )


@pytest.fixture(scope="module")
async def expected(data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[result_pb2.BacktestResult]:
    """A market of one long history and two short ones, and the result that is longer than 4 MiB."""
    candles = zigzag()
    await import_candles(data_service, LONG, candles)
    for seed, symbol in enumerate(OTHERS):
        await import_candles(data_service, symbol, random_candles(seed, 500, START_S - 3600 * 500))
    backtest = Backtest(STRATEGY, Interval.HOUR_1, WINDOW, EXECUTION, Detail.EQUITY)
    result = result_message(run_backtest(History(candles), backtest))
    result.symbol = LONG
    yield result
    for symbol in (LONG, *OTHERS):
        await data_service.DeleteCrypto(market_data_service_pb2.DeleteCryptoRequest(symbol=symbol))


@pytest.fixture
async def channel(stack: LocalStack) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the gateway as clients open it that know nothing of options."""
    async with grpc.aio.insecure_channel(stack.gateway_address) as channel:
        yield channel


@pytest.fixture
def client(channel: grpc.aio.Channel) -> "BacktestServiceAsyncStub":
    return BacktestServiceStub(channel)


def run_request(**fields: object) -> pb.RunBacktestsRequest:
    return pb.RunBacktestsRequest(
        **{  # type: ignore[arg-type]
            "symbols": [LONG, *OTHERS],
            "spec": spec_to(STRATEGY, Interval.HOUR_1, WINDOW, EXECUTION),
            "detail": result_pb2.DETAIL_EQUITY,
            **fields,
        }
    )


def single_request(**fields: object) -> pb.RunBacktestRequest:
    run = run_request()
    return pb.RunBacktestRequest(
        **{"symbol": LONG, "spec": run.spec, "detail": run.detail, **fields}  # type: ignore[arg-type]
    )


def content(result: result_pb2.BacktestResult) -> bytes:
    """Return what a result says, wherever it comes from."""
    said = result_pb2.BacktestResult()
    said.CopyFrom(result)
    said.ClearField("data_fingerprint")
    said.ClearField("from_cache")
    return said.SerializeToString(deterministic=True)


def joined(events: list[pb.RunBacktestsResponse]) -> dict[str, result_pb2.BacktestResult]:
    """Return the results of a run by symbol, joined as the comments of the API say."""
    results: dict[str, result_pb2.BacktestResult] = {}
    begun = ""
    for event in events:
        if event.HasField("result"):
            begun = event.result.symbol
            results[begun] = event.result
        elif event.HasField("result_continuation"):
            assert event.result_continuation.symbol == begun
            results[begun].MergeFrom(event.result_continuation)
    return results


def check(events: list[pb.RunBacktestsResponse], expected: result_pb2.BacktestResult) -> None:
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert max(event.ByteSize() for event in events) < MIB
    assert sum(event.HasField("result_continuation") for event in events) >= 5
    results = joined(events)
    assert sorted(results) == sorted([LONG, *OTHERS])
    assert len(results[LONG].trades) == 43_799
    assert content(results[LONG]) == content(expected)
    assert events[-1].summary.progress.completed == 3


async def test_a_long_result_is_streamed_in_parts(
    client: "BacktestServiceAsyncStub", expected: result_pb2.BacktestResult
) -> None:
    assert expected.ByteSize() > 4 * MIB
    computed = [event async for event in client.RunBacktests(run_request(cache_mode=pb.CACHE_MODE_REFRESH))]
    check(computed, expected)
    cached = [event async for event in client.RunBacktests(run_request())]
    check(cached, expected)
    assert cached[-1].progress.from_cache == 3


async def test_a_stream_that_broke_within_a_result_is_taken_up_with_its_next_part(
    channel: grpc.aio.Channel, client: "BacktestServiceAsyncStub", expected: result_pb2.BacktestResult
) -> None:
    call = client.RunBacktests(run_request(run_id="broken-within", cache_mode=pb.CACHE_MODE_BYPASS))
    events = []
    async for event in call:
        events.append(event)
        if event.HasField("result_continuation"):
            break
    call.cancel()
    assert events[-1].result_continues
    request = run_service_pb2.WatchRunRequest(
        run_id="broken-within", after_sequence=events[-1].sequence, max_results_per_event=9
    )
    events += [answer.event async for answer in RunServiceStub(channel).WatchRun(request)]
    # Results that come after the long one share an event there.
    shared = [result for event in events for result in event.results.results]
    assert max(event.ByteSize() for event in events) < MIB
    assert content(joined(events)[LONG]) == content(expected)
    assert sorted([*joined(events), *(result.symbol for result in shared)]) == sorted([LONG, *OTHERS])


@pytest.mark.parametrize("cache_mode", [pb.CACHE_MODE_DEFAULT, pb.CACHE_MODE_BYPASS])
async def test_a_long_result_of_a_single_backtest_comes_in_pages(
    client: "BacktestServiceAsyncStub",
    expected: result_pb2.BacktestResult,
    cache_mode: pb.CacheMode.ValueType,
) -> None:
    whole, token, pages = result_pb2.BacktestResult(), "", 0
    while token or not pages:
        page = await client.RunBacktest(single_request(cache_mode=cache_mode, page_token=token))
        assert page.ByteSize() < MIB
        assert page.result.symbol == LONG
        whole.MergeFrom(page.result)
        token, pages = page.next_page_token, pages + 1
    assert pages >= 6
    assert content(whole) == content(expected)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"symbol": OTHERS[0]}, "is of another result"),
        ({"spec": spec_to(STRATEGY, Interval.HOUR_1, WINDOW, Execution())}, "is of another result"),
        ({"page_token": "nonsense"}, "is not the next_page_token of a page"),
    ],
)
async def test_a_page_of_another_request_is_refused(
    client: "BacktestServiceAsyncStub",
    expected: result_pb2.BacktestResult,
    fields: dict[str, object],
    reason: str,
) -> None:
    first = await client.RunBacktest(single_request())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.RunBacktest(single_request(**{"page_token": first.next_page_token, **fields}))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = violations_of(caught.value)
    assert violation.field == "page_token"
    assert violation.reason.startswith(reason)


async def test_compute_sends_a_long_result_in_parts(
    stack: LocalStack, client: "BacktestServiceAsyncStub", expected: result_pb2.BacktestResult
) -> None:
    request = compute_service_pb2.ComputeBacktestsRequest(
        cryptos=[compute_service_pb2.CryptoRef(symbol=LONG)],
        spec=spec_to(STRATEGY, Interval.HOUR_1, WINDOW, EXECUTION),
        detail=result_pb2.DETAIL_EQUITY,
    )
    whole, continues = ComputedResult(), []
    async with grpc.aio.insecure_channel(stack.compute_address) as channel:
        async for response in ComputeServiceStub(channel).ComputeBacktests(request):
            assert response.ByteSize() < MIB
            (part,) = response.results
            whole.MergeFrom(part)
            continues.append(response.result_continues)
    assert len(continues) >= 5
    assert continues == [*[True] * (len(continues) - 1), False]
    assert whole.symbol == LONG
    result = joined_parts(whole.parts)
    result.symbol = LONG
    assert content(result) == content(expected)


async def test_the_command_prints_a_long_result_in_one_piece(
    cli: Cli, expected: result_pb2.BacktestResult
) -> None:
    run = ["run", "roc_momentum", "--param", "period=1", "--symbols", LONG, "--fee", "0"]
    run += ["--start", "2014-01-03", "--detail", "trades", "--run-id", "long-of-cli"]
    finished = await cli(*run, "--format", "jsonl")
    assert finished.status == 0, finished.err
    events = [json.loads(line) for line in finished.out.splitlines()]
    assert [kind for event in events for kind in ("started", "result", "summary") if kind in event] == [
        "started",
        "result",
        "summary",
    ]
    count = int(events[1]["result"]["metrics"]["trade_count"])
    assert count > 40_000
    assert len(events[1]["result"]["trades"]) in (count, count + 1)
    watched = await cli("watch", "long-of-cli", "--format", "jsonl")
    assert watched.out == finished.out
    table = await cli("watch", "long-of-cli")
    assert f"trades of {LONG} (the last 30 of {len(events[1]['result']['trades'])})" in table.out
