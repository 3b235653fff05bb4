"""`backcast fetch`: what it prints, when it succeeds, and how it goes on after it was killed."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import pytest

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.imports.candle_writer import write_candles
from tests.candle_making import random_candles
from tests.cli.conftest import Cli
from tests.feed.stand_in import HOUR_S, Served, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

START_S = 1_577_836_800  # 2020-01-01
SKEW = "the clock of Binance is "


def made_records(hours: int, first: int = 0) -> dict[int, Record]:
    return {
        START_S + HOUR_S * hour: (START_S + HOUR_S * hour, "10", f"{hour + 12}", "9", "11", f"{hour}.5")
        for hour in range(first, hours)
    }


def stand_in_of(served: dict[str, Served], hours: int, **more: object) -> StandIn:
    return StandIn(EXCHANGES["binance"], VirtualClock(START_S + hours * HOUR_S + 60), served, **more)


async def test_all_pairs_of_a_quote_are_fetched_and_then_only_what_is_new(cli: Cli) -> None:
    absent = made_records(100)
    del absent[START_S + 7 * HOUR_S]
    served = {
        "CLFAUSDT": Served("", made_records(100)),
        "CLFBUSDT": Served("", made_records(100, first=30)),
        "CLFCUSDT": Served("", absent),
        "CLFAUSDC": Served("", made_records(100)),
        "CLFDUSDT": Served("", made_records(50), is_traded=False),
    }
    with serving(stand_in_of(served, 90)) as stand_in:
        arguments = (
            "fetch",
            "binance",
            "--quote",
            "usdt",
            "--since",
            "2020-01-01",
            "--url",
            stand_in.base_url,
        )
        first = await cli(*arguments)
        assert (first.status, first.err) == (0, "")
        skew, *lines, total = first.out.splitlines()
        assert skew.startswith(SKEW)
        assert sorted(lines) == [
            "CLFAUSDT: 90 inserted",
            "CLFBUSDT: 60 inserted, its first candle is of 2020-01-02 06:00 UTC",
            "CLFCUSDT: 89 inserted, 1 hour that Binance does not have",
        ]
        assert total == "3 cryptos: 3 fetched, 0 failed"

        stand_in.asked.clear()
        stand_in.clock.set(START_S + 95 * HOUR_S)
        _, *lines, _ = (await cli(*arguments)).out.splitlines()
        assert sorted(lines) == [f"CLF{letter}USDT: 5 inserted, 48 unchanged" for letter in "ABC"]
        assert {first_s for first_s, _ in stand_in.windows()} == {START_S + 42 * HOUR_S}

        again = await cli(*arguments, "--again", "--delisted")
        ended = "CLFDUSDT: 50 inserted, 45 hours that Binance does not have"
        assert ended in again.out.splitlines()
        assert "CLFAUSDT: 95 unchanged" in again.out.splitlines()


async def test_the_others_are_fetched_and_the_status_is_1_where_one_fails(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await write_candles(data_service, "CLFSUSDT", random_candles(1, 50), synthetic=True)
    served = {name: Served("", made_records(50)) for name in ("CLFSUSDT", "CLFTUSDT")}
    with serving(stand_in_of(served, 60)) as stand_in:
        finished = await cli(
            *("fetch", "binance", "--symbols", "CLFS/USDT,CLFT/USDT", "--since", "2020-01-01T10:00"),
            *("--until", "2020-01-02", "--url", stand_in.base_url),
        )
    assert finished.status == 1
    assert sorted(finished.out.splitlines()[1:]) == [
        "2 cryptos: 1 fetched, 1 failed",
        "CLFSUSDT: CLFSUSDT has synthetic candles: market ones cannot be mixed in",
        "CLFTUSDT: 14 inserted",
    ]


async def test_a_fetch_that_was_killed_goes_on_where_it_was(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    hours = 30_000
    stand_in = stand_in_of({"CLFKUSDT": Served("", made_records(hours))}, hours)
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def kill_at(number: int) -> None:
        # The first 20,000 candles are written together, and there are 1,000 on a page.
        if number == 1 + 24:
            loop.call_soon_threadsafe(reached.set)

    stand_in.on_request = kill_at
    with serving(stand_in):
        arguments = ("fetch", "binance", "--symbols", "CLFKUSDT", "--since", "2020-01-01", "--url")
        process = await cli.start(*arguments, stand_in.base_url)
        await reached.wait()
        process.kill()
        await process.communicate()
        stand_in.on_request = None
        stand_in.asked.clear()
        finished = await cli(*arguments, stand_in.base_url)
    assert finished.status == 0
    assert finished.out.splitlines()[1:] == ["CLFKUSDT: 10,000 inserted, 48 unchanged"]
    assert stand_in.windows()[0][0] == START_S + (20_000 - 48) * HOUR_S
    (crypto,) = (await data_service.ListCryptos(pb.ListCryptosRequest(symbols=["CLFKUSDT"]))).cryptos
    assert (crypto.source, crypto.candle_count) == ("binance", hours)
    (asked,) = crypto.asked_hours
    assert (asked.start_time.seconds, asked.end_time.seconds) == (START_S, START_S + hours * HOUR_S)


async def test_a_ban_ends_the_fetch_and_is_told(cli: Cli) -> None:
    served = {"CLFUUSDT": Served("", made_records(50))}
    with serving(stand_in_of(served, 60, faults=deque(["", "418"]))) as stand_in:
        finished = await cli(
            *("fetch", "binance", "--symbols", "CLFUUSDT", "--since", "2020-01-01"),
            *("--url", stand_in.base_url),
        )
    assert finished.status == 1
    assert finished.err.startswith("backcast: Binance has banned this machine until ")


async def test_candles_of_two_exchanges_are_not_mixed(cli: Cli) -> None:
    served = {"CLFXUSDT": Served("", made_records(50))}
    statuses, lines = [], []
    for exchange in ("binance", "bybit"):
        stand_in = StandIn(EXCHANGES[exchange], VirtualClock(START_S + 60 * HOUR_S), served)
        with serving(stand_in):
            finished = await cli(
                "fetch", exchange, "--symbols", "CLFXUSDT", *SINCE, "--url", stand_in.base_url
            )
        statuses.append(finished.status)
        lines += finished.out.splitlines()[1:]
    assert statuses == [0, 1]
    assert lines == [
        "CLFXUSDT: 50 inserted, 10 hours that Binance does not have",
        "CLFXUSDT: it has candles of binance: those of bybit cannot be mixed in",
    ]
    assert not stand_in.windows()


SINCE = ("--since", "2020-01-01")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ("binanse", "--quote", "USDT", *SINCE),
            "EXCHANGE: 'binanse' is not a known exchange: did you mean ",
        ),
        (("binance", *SINCE), "--symbols: either --symbols or --quote is needed"),
        (("binance", *SINCE, "--quote", "A", "--symbols", "B"), "--symbols: either --symbols or --quote is "),
        (("binance", *SINCE, "--delisted", "--symbols", "B"), "--delisted: is for --quote"),
        (("binance", "--quote", "USDT", "--since", "1969-12-31"), "--since: 1969-12-31 is before 1970"),
        (("binance", "--quote", "USDT", "--since", "2999-01-01"), "--since: 2999-01-01 is in the future"),
        (("binance", "--quote", "USDT", "--since", "x"), "--since: 'x' is not a time"),
        (
            ("binance", "--quote", "USDT", *SINCE, "--until", "2019-01-01"),
            "--since: 2020-01-01 is not before --until 2019-01-01",
        ),
        (
            ("binance", "--quote", "USDT", "--since", "2020-01-01T00:10", "--until", "2020-01-01T00:50"),
            "--since: there is no whole hour from 2020-01-01T00:10 to 2020-01-01T00:50",
        ),
        (
            ("binance", "--quote", "USDT", *SINCE, "--url", "http://192.0.2.1"),
            "--url: http://192.0.2.1 is not https, which is needed off this machine",
        ),
    ],
)
async def test_bad_input_is_named(cli: Cli, arguments: tuple[str, ...], error: str) -> None:
    finished = await cli("fetch", *arguments)
    assert finished.status == 1
    assert finished.err.startswith(f"backcast: {error}")


async def test_bad_symbols_are_named(cli: Cli) -> None:
    with serving(stand_in_of({"BTCUSDT": Served("", {})}, 60)) as stand_in:
        finished = await cli(
            *("fetch", "binance", "--symbols", "BTCUSTD,BTC-PERP", *SINCE, "--url", stand_in.base_url)
        )
    assert finished.status == 1
    assert finished.err.splitlines() == [
        "backcast: --symbols: Binance has no BTCUSTD: did you mean BTCUSDT?; "
        "--symbols: BTC.P is a perpetual, and only spot candles can be fetched"
    ]
