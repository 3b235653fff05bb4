"""Cryptos of different times in one run: where the window is, and who is left out."""

import json
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.interval import Interval
from backcast_engine.times import utc
from services.rpc.status import violations_of
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.cli.conftest import Cli
from tests.end_to_end.sweeps.sweeping import sweep_request, swept
from tests.requests import with_spec

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOUR_S, DAY_S = 3_600, 86_400
MANY = [f"MIX{number}USDT" for number in range(4)]
# Six years before the others, and until the present.
OLD, NEW = "MIXOLDUSDT", "MIXNEWUSDT"
HOURS = 24 * 400
END_S = START_S + HOURS * HOUR_S
YEAR = (END_S - 365 * DAY_S, END_S)


@pytest.fixture(scope="module")
async def present_s(data_service: "MarketDataServiceAsyncStub") -> int:
    """Import everything; return the end of the newest crypto's last candle."""
    for number, symbol in enumerate(MANY):
        await import_candles(data_service, symbol, random_candles(number, HOURS))
    await import_candles(data_service, OLD, random_candles(8, 300, START_S - 6 * 365 * DAY_S))
    hour_s = Interval.HOUR_1.opening(int(time.time()))
    await import_candles(data_service, NEW, random_candles(9, 300, hour_s - 300 * HOUR_S))
    return hour_s


def asked(*symbols: str, **fields: Any) -> dict[str, Any]:
    return {"symbols": list(symbols), "strategy": {"rsi": {}}, **fields}


async def run(gateway: "BacktestServiceAsyncStub", request: dict[str, Any]) -> list[pb.RunBacktestsResponse]:
    return [
        event async for event in events_of(gateway, ParseDict(with_spec(**request), pb.RunBacktestsRequest()))
    ]


def window_of(started: Any) -> tuple[int, int]:
    return started.request.spec.start_time.seconds, started.request.spec.end_time.seconds


async def test_odd_imports_are_left_out_and_fail_nothing(
    gateway: "BacktestServiceAsyncStub", present_s: int
) -> None:
    events = await run(gateway, asked(*MANY, OLD, NEW))
    started, summary = events[0].started, events[-1].summary
    assert window_of(started) == YEAR
    assert [one.symbol for one in started.left_out] == [NEW, OLD]
    old = started.left_out[1]
    assert old.first_candle_time.seconds == START_S - 6 * 365 * DAY_S
    assert old.last_candle_time.seconds == old.first_candle_time.seconds + 299 * HOUR_S
    assert (started.crypto_count, summary.progress.completed, summary.progress.failed) == (4, 4, 0)
    assert list(started.request.symbols) == MANY


async def test_sweeps_leave_them_out_too(gateway: "BacktestServiceAsyncStub", present_s: int) -> None:
    ranges = [{"name": "period", "values": [5, 9]}]
    sweep = await swept(gateway, sweep_request(**asked(*MANY, OLD, NEW, ranges=ranges, exclude=[MANY[0]])))
    assert window_of(sweep.started) == YEAR
    assert [one.symbol for one in sweep.started.left_out] == [NEW, OLD]
    assert list(sweep.started.request.symbols) == MANY[1:]
    assert sweep.summary.progress.failed == 0


async def test_a_named_crypto_without_candles_in_a_given_window_fails(
    gateway: "BacktestServiceAsyncStub", present_s: int
) -> None:
    events = await run(
        gateway, asked(MANY[0], OLD, startTime="2024-06-01T00:00:00Z", endTime="2024-07-01T00:00:00Z")
    )
    assert not events[0].started.left_out
    (failure,) = [event.failure for event in events if event.HasField("failure")]
    assert failure.symbol == OLD
    assert "there are no candles in the window" in failure.status.message


@pytest.mark.parametrize("end", [None, "2100-01-01T00:00:00Z"])
async def test_no_window_ends_in_the_future(
    gateway: "BacktestServiceAsyncStub", present_s: int, end: str | None
) -> None:
    fields = {"endTime": end} if end else {}
    for interval in (Interval.HOUR_1, Interval.DAY_1):
        number = list(Interval).index(interval) + 1
        events = await run(gateway, asked(NEW, interval=number, **fields))
        _, end_s = window_of(events[0].started)
        assert end_s == interval.opening(end_s)
        assert present_s - interval.seconds < end_s <= time.time()


async def test_what_is_not_there_cannot_be_excluded(
    gateway: "BacktestServiceAsyncStub", present_s: int
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run(gateway, asked(exclude=[OLD, "MIXNOPEUSDT"]))
    (violation,) = violations_of(caught.value)
    assert violation.field == "exclude[1]"
    assert violation.reason.startswith("there is no crypto 'MIXNOPEUSDT'")


async def test_where_nothing_is_left_it_is_said(gateway: "BacktestServiceAsyncStub", present_s: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await run(gateway, asked(endTime="2001-01-01T00:00:00Z"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == (
        "none of the cryptos has a whole 1h candle in the window "
        "from 2000-01-02 00:00 UTC to 2001-01-01 00:00 UTC"
    )


async def test_the_command_says_it_in_one_sentence_and_succeeds(cli: Cli, present_s: int) -> None:
    symbols = ",".join([*MANY, OLD, NEW])
    finished = await cli("run", "rsi", "--symbols", symbols, "--exclude", MANY[1], "--sort", "max_drawdown")
    assert finished.status == 0
    assert f"2 cryptos are left out: they have no whole candle in the window ({NEW}, {OLD})\n" in finished.out
    assert MANY[1] not in finished.out
    unknown = await cli("run", "rsi", "--exclude", "MIXNOPEUSDT")
    assert (unknown.status, unknown.out) == (1, "")
    assert unknown.err.startswith("backcast: --exclude: there is no crypto 'MIXNOPEUSDT'")
    unknown = await cli("run", "rsi", "--columns", "cagr,luck")
    assert unknown.err.startswith("backcast: --columns: there is no metric 'luck'")


async def test_a_history_that_is_too_short_fails_no_run_of_all(
    cli: Cli, data_service: "MarketDataServiceAsyncStub", present_s: int
) -> None:
    short = "MIXSHORTUSDT"
    await import_candles(data_service, short, random_candles(9, 10, END_S - 10 * HOUR_S))
    # Of the year before its end, which other tests' cryptos do not move.
    year = ("--start", f"{utc(YEAR[0])[:10]}", "--end", f"{utc(YEAR[1])[:10]}")
    everything = await cli("run", "ma_cross", *year, "--format", "jsonl")
    failures = {
        event["failure"]["symbol"]: event["failure"]["status"]["message"]
        for event in map(json.loads, everything.out.splitlines())
        if "failure" in event
    }
    assert failures[short].startswith("its indicators need 50 candles, and there are 10")
    assert everything.status == 0
    # A run that names the crypto reports that it failed.
    named = await cli("run", "ma_cross", "--symbols", f"{short},{MANY[0]}", *year)
    assert named.status == 1
