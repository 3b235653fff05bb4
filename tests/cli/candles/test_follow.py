"""`backcast follow`, `backcast feeds` and `backcast serve feed`: what they print, log and refuse."""

import asyncio
import json
import signal
import threading
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.imports.candle_writer import write_candles
from services.local.health import is_serving
from services.local.ports import HOST
from services.local.stack import LocalStack
from tests.candle_making import random_candles
from tests.cli.candles.test_fetch import START_S, made_records
from tests.cli.conftest import Cli
from tests.feed.feed_process import FeedProcess
from tests.feed.stand_in import HOUR_S, Served, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.waiting import LIMIT_S

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


def stand_in_of(quote: str, *bases: str, hours: int = 90) -> StandIn:
    """Return an exchange whose clock stands still, ten minutes after an hour."""
    served = {f"{base}{quote}": Served("", made_records(100)) for base in bases}
    return StandIn(EXCHANGES["binance"], VirtualClock(START_S + hours * HOUR_S + 600), served)


async def lines_of(process: asyncio.subprocess.Process, last: str) -> AsyncIterator[str]:
    """Yield the lines of a process up to one with these words."""
    assert process.stdout
    while line := (await process.stdout.readline()).decode().rstrip("\n"):
        yield line
        if last in line:
            return


async def test_following_prints_a_line_for_a_round_and_feeds_lists_it(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await write_candles(data_service, "CLWSQCLA", random_candles(1, 50), synthetic=True)
    with serving(stand_in_of("QCLA", "CLWA", "CLWB", "CLWS")) as stand_in:
        process = await cli.start(
            *("follow", "binance", "--quote", "qcla", "--url", stand_in.base_url), PYTHONUNBUFFERED="1"
        )
        try:
            lines = [line async for line in lines_of(process, "left out")]
        finally:
            process.terminate()
            await process.communicate()
    following, skew, *others = lines
    assert following == "following all QCLA pairs of Binance, until Ctrl-C"
    assert skew.startswith("the clock of Binance is ")
    assert others == [
        "2020-01-04 17:00 UTC: 2 cryptos asked for, 180 inserted",
        "left out: CLWSQCLA has synthetic candles: market ones cannot be mixed in",
    ]
    (crypto,) = (await data_service.ListCryptos(pb.ListCryptosRequest(symbols=["CLWAQCLA"]))).cryptos
    assert (crypto.source, crypto.candle_count) == ("binance", 90)

    listed = await cli("feeds")
    rows = listed.out.splitlines()
    heading = next(row for row in rows if "newest hour" in row)
    assert heading.split() == [
        *("feed", "newest", "hour", "lag", "cryptos", "failed", "left", "out"),
        *("ended", "inserted", "corrected", "failures"),
    ]
    (row,) = (row.split() for row in rows if "QCLA " in row and "left out" not in row)
    assert row[:4] == ["binance", "QCLA", "2020-01-04", "17:00"]
    assert row[-7:] == ["2", "0", "1", "0", "180", "0", "0"]
    assert "binance QCLA: left out: CLWSQCLA has synthetic candles: market ones cannot be mixed in" in rows


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_follower_that_is_stopped_leaves_its_hour_to_the_next_one(
    cli: Cli, number: signal.Signals
) -> None:
    quote = "QCLS" if number == signal.SIGINT else "QCLT"
    stand_in, asked, go_on = stand_in_of(quote, "CLWA"), threading.Event(), threading.Event()

    def hold(request: int) -> None:
        if request == 2:
            asked.set()
            go_on.wait(LIMIT_S)

    stand_in.on_request = hold
    with serving(stand_in):
        command = "follow", "binance", "--quote", quote, "--url", stand_in.base_url
        stopped, follower = await cli.start(*command, PYTHONUNBUFFERED="1"), None
        try:
            assert await asyncio.to_thread(asked.wait, LIMIT_S)
            stopped.send_signal(number)
            follower = await cli.start(*command, PYTHONUNBUFFERED="1")
            async with asyncio.timeout(LIMIT_S):
                lines = [line async for line in lines_of(follower, "asked for")]
                go_on.set()
                out, _ = await stopped.communicate()
        finally:
            go_on.set()
            for process in filter(None, (stopped, follower)):
                if process.returncode is None:
                    process.kill()
                    await process.communicate()
    assert lines[-1] == "2020-01-04 17:00 UTC: 1 crypto asked for, 90 inserted"
    assert stopped.returncode == 0
    assert out.decode().splitlines()[-1].startswith("stopped")


async def test_what_cannot_be_followed_is_refused(cli: Cli) -> None:
    with serving(stand_in_of("QCLB", "CLWA")) as stand_in:
        for arguments, error in (
            (("bynance",), "EXCHANGE: 'bynance' is not a known exchange: did you mean binance?"),
            (("binance", "--quote", "QCLX"), "--quote: Binance quotes nothing in QCLX"),
        ):
            refused = await cli("follow", *arguments, "--url", stand_in.base_url)
            assert refused.status == 1
            assert refused.err.startswith(f"backcast: {error}")
    refused = await cli("follow", "binance", "--url", "http://192.0.2.1")
    assert refused.err == (
        "backcast: --url: http://192.0.2.1 is not https, which is needed off this machine\n"
    )
    for options, error in (
        (("--quote", "USDT"), "--quote: is for --follow"),
        (("--follow", "krakn"), "--follow: 'krakn' is not a known exchange: did you mean kraken?"),
    ):
        refused = await cli("up", *options)
        assert (refused.status, refused.err) == (1, f"backcast: {error}\n")


async def test_an_unreachable_exchange_is_reported_and_ends_nothing(cli: Cli) -> None:
    stand_in = stand_in_of("QCLC", "CLWA")
    stand_in.faults.extend(["451"])
    with serving(stand_in):
        process = await cli.start(
            *("follow", "binance", "--quote", "QCLC", "--url", stand_in.base_url), PYTHONUNBUFFERED="1"
        )
        try:
            lines = [line async for line in lines_of(process, "451")]
            assert process.returncode is None
        finally:
            process.terminate()
            await process.communicate()
    assert lines[-1].endswith(": Binance refuses to answer this machine, with status 451")


async def test_the_process_follows_and_answers_probes_and_prometheus(
    stack: LocalStack, short_folder: Path, data_service: "MarketDataServiceAsyncStub"
) -> None:
    with serving(stand_in_of("QCLD", "CLWA")) as stand_in:
        stand_in.faults.append("503")
        feed = FeedProcess(
            stack.data_address,
            short_folder / "feed",
            **{"exchange": "binance", "quote": "qcld", "url": stand_in.base_url, "metrics_port": 0},
        )
        try:
            outcome = await feed.record(event="round ended")
            assert await is_serving(feed.health_address)
            port = (await feed.record(event="metrics endpoint started"))["port"]
            url = f"http://{HOST}:{port}/metrics"
            with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
                metrics = answer.read().decode()
        finally:
            await asyncio.to_thread(feed.process.stop, 10)
    assert {
        name: outcome[name] for name in ("level", "service", "hour", "cryptos", "inserted", "failed")
    } == {
        **{"level": "info", "service": "feed", "hour": "2020-01-04 17:00 UTC"},
        **{"cryptos": 1, "inserted": 90, "failed": 0},
    }
    labels = 'exchange="binance",quote="QCLD"'
    assert f'backcast_feed_candles_total{{change="inserted",{labels}}} 90.0' in metrics
    assert f'backcast_feed_cryptos{{{labels},state="followed"}} 1.0' in metrics
    # The pairs, and the candles.
    assert 'backcast_feed_requests_total{exchange="binance",outcome="good"} 2.0' in metrics
    assert 'backcast_feed_weight_limit{exchange="binance"} 6000.0' in metrics
    lag_s = next(
        float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("backcast_feed_lag")
    )
    assert lag_s > 365 * 86_400
    # A request that succeeds when repeated is not logged: the record would have all candles.
    assert not {each["event"] for each in feed.records()} - {
        *("metrics endpoint started", "feed started", "clock skew detected", "round ended", "feed stopping")
    }
    assert feed.records()[-1]["event"] == "feed stopping"
    assert "Traceback" not in feed.log.read_text()
    (crypto,) = (await data_service.ListCryptos(pb.ListCryptosRequest(symbols=["CLWAQCLD"]))).cryptos
    assert crypto.candle_count == 90


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, "BACKCAST_FEED_EXCHANGE: must be set"),
        ({"exchange": "bynance"}, "BACKCAST_FEED_EXCHANGE: 'bynance' is not a known exchange"),
        ({"exchange": "okx", "url": "http://192.0.2.1"}, "BACKCAST_FEED_URL: http://192.0.2.1 is not https"),
    ],
)
async def test_a_wrong_setting_ends_the_process_and_is_named(
    stack: LocalStack, short_folder: Path, settings: dict[str, str], error: str
) -> None:
    feed = FeedProcess(stack.data_address, short_folder / "wrong-feed", **settings)
    try:
        record = await feed.record(level="error")
    finally:
        await asyncio.to_thread(feed.process.stop, 10)
    assert str(record["event"]).startswith(error)


async def test_the_data_service_logs_corrections_with_old_and_new_values(
    cli: Cli, short_folder: Path
) -> None:
    stand_in = stand_in_of("QCLE", "CLWA")
    arguments = ("fetch", "binance", "--quote", "QCLE", "--since", "2020-01-01", "--url")
    with serving(stand_in):
        await cli(*arguments, stand_in.base_url)
        records = stand_in.served["CLWAQCLE"].records
        time_s = START_S + 70 * HOUR_S
        records[time_s] = (*records[time_s][:5], "777")
        corrected = await cli(*arguments, stand_in.base_url)
    assert "CLWAQCLE: 1 corrected, 47 unchanged" in corrected.out.splitlines()
    log = (short_folder / "stack" / "logs" / "data.log").read_text()
    (record,) = (json.loads(line) for line in log.splitlines() if "CLWAQCLE" in line)
    assert (record["event"], record["source"], record["time"]) == (
        *("candle corrected", "binance", "2020-01-03 22:00 UTC"),
    )
    assert (record["old"], record["new"]) == ([10, 82, 9, 11, 70.5], [10, 82, 9, 11, 777])
