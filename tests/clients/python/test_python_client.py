"""The Python client against real services: its frames have the numbers of the bare stubs."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

import backcast
from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.errors import (
    BackcastError,
    CancelledError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    VersionError,
)
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest
from backcast.gateway.v1.run_service_pb2 import RUN_STATE_CANCELLED, WatchRunRequest
from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast.requests import run_request
from backcast.result import METRICS
from backcast.sweep_request import sweep_request
from backcast.versions import version_in
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import longer_candles
from tests.known_runs import known_run, known_runs
from tests.long_run import LONG_SYMBOLS

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub


RSI = backcast.Rsi(period=7)


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """A second client of the gateway, on a connection of its own."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


async def results_of(
    gateway: "BacktestServiceAsyncStub", request: RunBacktestsRequest
) -> list[BacktestResult]:
    """Return the results of a request as the bare stubs have them, ordered by symbol."""
    bare = RunBacktestsRequest()
    bare.CopyFrom(request)
    bare.run_id, bare.max_results_per_event = "", 1
    events = [event async for event in gateway.RunBacktests(bare)]
    results = [event.result for event in events if event.HasField("result")]
    return sorted(results, key=lambda result: result.symbol)


def test_results_come_one_after_the_other_each_once(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    with client.run(RSI, symbols=cryptos) as run:
        came = [result.symbol for result in run]
        assert sorted(came) == sorted(cryptos)
        assert [result.symbol for result in run] == came
        assert run.progress.completed == len(run) == len(cryptos)


async def test_frames_have_the_numbers_of_the_messages(
    client: backcast.Client, gateway: "BacktestServiceAsyncStub", cryptos: dict[str, Candles]
) -> None:
    run = client.run(RSI, symbols=cryptos, detail="equity")
    frames = {name: getattr(run, name)() for name in ("metrics", "trades", "equity", "summary")}
    results = await results_of(gateway, run.request)
    assert frames["metrics"]["symbol"].tolist() == [result.symbol for result in results]
    for name in METRICS:
        of_messages = [
            getattr(result.metrics, name) if result.metrics.HasField(name) else np.nan for result in results
        ]
        assert frames["metrics"][name].tobytes() == np.array(of_messages).tobytes()
    curves = [result.equity_curve for result in results]
    equity = np.concatenate([np.array(curve.equity) for curve in curves])
    assert frames["equity"]["equity"].tobytes() == equity.tobytes()
    times = [time for curve in curves for time in curve.open_time_s]
    assert frames["equity"]["time"].astype(np.int64).tolist() == times
    trades = [trade for result in results for trade in result.trades]
    assert frames["trades"]["profit"].tolist() == [trade.profit for trade in trades]
    assert frames["trades"]["open"].tolist() == [trade.open for trade in trades]
    assert frames["summary"]["statistic"][1] == "median"
    assert frames["summary"]["total_return"][1] == pytest.approx(
        np.median([result.metrics.total_return for result in results])
    )


def test_a_result_is_its_message(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    result = client.run(RSI, symbols="CLIENT0USDT", detail="equity")["CLIENT0USDT"]
    assert result.message.symbol == "CLIENT0USDT"
    assert list(result.message.equity_curve.equity) == result.curve()[1].tolist()


def test_trades_and_equity_are_asked_for_when_they_are_needed(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    run = client.run(RSI, symbols=cryptos)
    metrics, trades, equity = run.metrics(), run.trades(), run.equity()
    assert len(trades["profit"]) > 0
    last = np.flatnonzero(equity["symbol"] == metrics["symbol"][0])[-1]
    assert equity["equity"][last] == metrics["final_equity"][0]


async def test_the_client_for_asyncio_has_the_same_frames(
    client: backcast.Client, aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    run = await aio_client.run(RSI, symbols=cryptos)
    assert sorted([result.symbol async for result in run]) == sorted(cryptos)
    same = client.run(RSI, symbols=cryptos)
    for name in ("metrics", "trades", "equity", "summary", "failures"):
        ours, theirs = await getattr(run, name)(), getattr(same, name)()
        assert ours.keys() == theirs.keys()
        for column in ours.keys() - {"from_cache"}:
            np.testing.assert_array_equal(ours[column], theirs[column])


def test_threads_that_share_a_run_all_get_every_result(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    with client.run(RSI, symbols=cryptos, cache="bypass") as run, ThreadPoolExecutor(4) as threads:
        came = list(threads.map(lambda _: [result.symbol for result in run], range(4)))
    assert [sorted(symbols) for symbols in came] == [sorted(cryptos)] * 4


async def test_tasks_that_share_a_run_all_get_every_result(
    aio_client: backcast.aio.Client, cryptos: dict[str, Candles]
) -> None:
    async with await aio_client.run(RSI, symbols=cryptos, cache="bypass") as run:
        metrics, summary, failures = await asyncio.gather(run.metrics(), run.summary(), run.failures())
    assert metrics["symbol"].tolist() == sorted(cryptos)
    assert summary["statistic"].size
    assert not failures["symbol"].size


def test_rules_are_text(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    by_rules = client.run(backcast.rules("rsi(7) < 30", "rsi(7) > 70"), symbols=cryptos)
    by_name = client.run(RSI, symbols=cryptos)
    np.testing.assert_array_equal(by_rules.metrics()["total_return"], by_name.metrics()["total_return"])


def test_candles_are_those_that_were_imported(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    frame = client.candles("CLIENT0USDT", "1d")
    daily = longer_candles(cryptos["CLIENT0USDT"], Interval("1d"))
    np.testing.assert_array_equal(frame["time"].astype(np.int64), daily.open_time_s)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(frame[name], getattr(daily, name))
    of_two = client.candles(["CLIENT0USDT", "CLIENT1USDT"])
    assert [*np.unique(of_two["symbol"])] == ["CLIENT0USDT", "CLIENT1USDT"]


def test_lists_of_the_client_are_frames(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    assert set(cryptos) <= set(client.cryptos()["symbol"])
    assert "rsi_trend" in client.strategies()["strategy"]
    run = client.run(RSI, symbols=cryptos, run_id="listed").wait()
    runs = client.runs()
    (row,) = np.flatnonzero(runs["run_id"] == run.id)
    assert runs["state"][row] == "completed"


def test_a_run_can_be_watched_by_another_client(
    client: backcast.Client, stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    run = client.run(RSI, symbols=cryptos).wait()
    with backcast.connect(stack.gateway_address, frames="numpy") as other:
        watched = other.watch(run.id)
        assert sorted(result.symbol for result in watched) == sorted(cryptos)
        with pytest.raises(NotFoundError):
            other.watch("no-such-run")


async def test_leaving_the_block_of_a_run_cancels_it(
    stack: LocalStack, long_market: None, runs: "RunServiceAsyncStub"
) -> None:
    # Its results are more than fits into all buffers: it waits for its reader.
    async with backcast.aio.connect(stack.gateway_address, frames="numpy") as client:
        run = await client.run(RSI, symbols=LONG_SYMBOLS, detail="equity", start="2015-01-01")
        with pytest.raises(ZeroDivisionError):
            async with run:
                raise ZeroDivisionError
        assert (await known_run(runs, run.id)).state == RUN_STATE_CANCELLED
        with pytest.raises(CancelledError):
            await run.wait()


async def test_leaving_the_block_of_a_client_cancels_its_sweeps(
    stack: LocalStack, cryptos: dict[str, Candles], runs: "RunServiceAsyncStub"
) -> None:
    ranges = {"period": range(2, 200), "oversold": range(10, 40)}
    async with backcast.aio.connect(stack.gateway_address, frames="numpy") as client:
        sweep = await client.sweep(backcast.Rsi(), symbols=cryptos, cache="bypass", **ranges)
        assert sweep.id in {run.run_id for run in await known_runs(runs)}
    # A sweep that is over is not kept.
    assert sweep.id not in {run.run_id for run in await known_runs(runs)}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"symbols": ["CLIENT0USDT", "NOSUCHUSDT"]}, "symbols[1]"),
        ({"symbols": "CLIENT0USDT", "start": "2024-03-01", "end": "2024-02-01"}, "start"),
        ({"symbols": "CLIENT0USDT", "fee": -1}, "fee"),
        ({"symbols": "CLIENT0USDT", "curve_points": 3, "detail": "equity"}, "curve_points"),
        ({"symbols": "CLIENT0USDT", "run_id": "no name!"}, "run_id"),
    ],
)
def test_an_argument_that_the_server_refuses_is_named_as_it_was_given(
    client: backcast.Client, cryptos: dict[str, Candles], arguments: Any, field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.run(RSI, **arguments)
    assert field in {violation.field for violation in refused.value.violations}
    assert refused.value.reason == "INVALID_REQUEST"


def test_an_unknown_crypto_is_named_by_candles(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    with pytest.raises(BackcastError, match="NOSUCHUSDT"):
        client.candles(["CLIENT0USDT", "NOSUCHUSDT"])
    with pytest.raises(InvalidRequestError, match="interval: '2h' is not one of 1h, 4h, 1d, 1w"):
        client.candles("CLIENT0USDT", "2h")  # type: ignore[arg-type]


def test_a_bad_rule_says_where(client: backcast.Client) -> None:
    with pytest.raises(InvalidRequestError, match="clsoe") as refused:
        client.run(backcast.rules("clsoe > 1"))
    assert (refused.value.field, refused.value.reason) == ("entry", "INVALID_RULES")
    assert refused.value.metadata["entry_start"] == "0"


def test_a_parameter_out_of_range_is_named(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.run(backcast.Rsi(period=0), symbols=cryptos)
    assert refused.value.field == "period"


def test_without_a_server_one_sentence_says_so() -> None:
    with (
        backcast.connect("127.0.0.1:9", frames="numpy") as client,
        pytest.raises(ConnectionFailedError, match=r"no Backcast answers at 127\.0\.0\.1:9"),
    ):
        client.run(RSI)


def test_a_server_that_is_no_gateway_is_named(stack: LocalStack) -> None:
    with (
        backcast.connect(stack.data_address, frames="numpy") as client,
        pytest.raises(VersionError, match=r"lacks this call, which the gateway has: is the port right\?"),
    ):
        client.run(RSI)


async def test_every_call_of_a_run_returns_the_version_of_the_server(
    gateway: "BacktestServiceAsyncStub",
    runs: "RunServiceAsyncStub",
    stack: LocalStack,
    cryptos: dict[str, Candles],
) -> None:
    async def sent_version(call: Any) -> str | None:
        await call.read()
        version = version_in(await call.initial_metadata())
        call.cancel()
        return version

    run = run_request(RSI, {"symbols": [*cryptos], "run_id": "versioned"})
    sweep = sweep_request(RSI, {"symbols": [*cryptos], "period": [5, 6]})
    ours = version("backcast")
    assert await sent_version(gateway.RunBacktests(run)) == ours
    assert await sent_version(runs.WatchRun(WatchRunRequest(run_id="versioned"))) == ours
    assert await sent_version(gateway.SweepBacktests(sweep)) == ours


async def test_a_call_that_the_server_lacks_returns_its_version_too(stack: LocalStack) -> None:
    async with open_channel(stack.gateway_address) as channel:
        for kind in (channel.unary_unary, channel.unary_stream):
            call: Any = kind("/backcast.gateway.v2.BacktestService/RunBacktests")(b"")
            assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
            assert version_in(await call.trailing_metadata()) == version("backcast")


def test_what_needs_the_server_is_refused_outside_of_the_block(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    with backcast.connect(stack.gateway_address, frames="numpy") as client:
        run = client.run(RSI, symbols=cryptos).wait()
    assert len(run.metrics()["symbol"]) == len(cryptos)
    with pytest.raises(ConnectionFailedError, match="this client is closed"):
        run.trades()
