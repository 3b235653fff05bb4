"""`backcast fetch`: what it prints, when it succeeds, and how it goes on after it was killed."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast_engine.candles import Candles
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.imports.candle_writer import write_candles
from services.wire.candles import candles_from
from tests.candle_making import random_candles
from tests.cli.conftest import Cli
from tests.feed.stand_in import HOUR_S, Served, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.ingest.exchange_answers import Record
from tests.waiting import LIMIT_S

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


SINCE = ("--since", "2020-01-01")


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
        "CLFSUSDT has synthetic candles: those of binance cannot be mixed in",
        "CLFTUSDT: 14 inserted",
    ]


async def test_a_fetch_that_was_killed_at_any_page_goes_on_where_it_was(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    """Each process is killed one page later, before the answer; two pages are written together."""
    pages, hours = 5, 5_000
    symbols = [f"CLFK{number}USDT" for number in range(1, pages + 2)]
    stand_in = stand_in_of({symbol: Served("", made_records(hours)) for symbol in symbols}, hours)
    loop = asyncio.get_running_loop()
    with serving(stand_in):
        options = ("--since", "2020-01-01", "--url", stand_in.base_url)
        # The list of pairs is asked for first.
        for last, symbol in enumerate(symbols, 1):
            reached, killed = asyncio.Event(), threading.Event()

            def hold(number: int, last: int = last, reached: Any = reached, killed: Any = killed) -> None:
                if number == last:
                    loop.call_soon_threadsafe(reached.set)
                    killed.wait(LIMIT_S)

            stand_in.asked.clear()
            stand_in.on_request = hold
            process = await cli.start_python(
                "-c", _IN_SMALL_BATCHES, "fetch", "binance", "--symbols", symbol, *options
            )
            await asyncio.wait_for(reached.wait(), 3 * LIMIT_S)
            process.kill()
            await process.communicate()
            killed.set()
        stand_in.on_request = None
        finished = await cli("fetch", "binance", "--symbols", ",".join(symbols), *options)
    assert finished.status == 0
    stored = [2000 * (max(page - 1, 0) // 2) for page in range(pages + 1)]
    assert sorted(finished.out.splitlines()[1:-1]) == [
        f"{symbol}: {hours - before:,} inserted" + (", 48 unchanged" if before else "")
        for symbol, before in zip(symbols, stored, strict=True)
    ]
    for symbol in symbols:
        call = data_service.StreamCandles(pb.StreamCandlesRequest(symbols=[symbol]))
        blocks = [block async for response in call for block in response.blocks]
        candles = Candles.concatenate([candles_from(block.columns) for block in blocks])
        expected = [
            (record[0], *map(float, record[1:])) for record in stand_in.served[symbol].records.values()
        ]
        assert list(zip(*(column.tolist() for column in candles.columns()), strict=True)) == expected
    for crypto in (await data_service.ListCryptos(pb.ListCryptosRequest(symbols=symbols))).cryptos:
        (asked,) = crypto.asked_hours
        assert (asked.start_time.seconds, asked.end_time.seconds) == (START_S, START_S + hours * HOUR_S)


_IN_SMALL_BATCHES = (
    "from services.feed import fetch; fetch._CANDLES_TOGETHER = 2000; "
    "from services.cli.main import main; main()"
)


async def test_a_terminal_shows_how_far_a_fetch_is(cli: Cli) -> None:
    served = {f"CLFP{number}USDT": Served("", made_records(90)) for number in range(2)}
    with serving(stand_in_of(served, 90)) as stand_in:
        arguments = ("--quote", "USDT", *SINCE, "--url", stand_in.base_url)
        shown = await on_a_terminal(cli, "fetch", "binance", *arguments)
    assert "2/2" in shown
    # The list of pairs weighs 20.
    # How many frames show the date that one of them has reached depends on the terminal.
    assert re.search(r"CLFP\dUSDT", shown)
    assert "weight 24 of 6,000" in shown


async def on_a_terminal(cli: Cli, *arguments: str) -> str:
    """Return what a command shows on a terminal."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 160, 0, 0))
    process = await cli.start(*arguments, out=writing, TERM="xterm")
    os.close(writing)

    def all_of_it() -> str:
        parts = []
        # A terminal whose other side is closed is an error to read from.
        with suppress(OSError):
            while part := os.read(reading, 65_536):
                parts.append(part)
        os.close(reading)
        return b"".join(parts).decode()

    shown = await asyncio.to_thread(all_of_it)
    await process.communicate()
    assert process.returncode == 0
    return shown


async def test_a_repeated_request_is_reported_once(cli: Cli) -> None:
    served = {"CLFRUSDT": Served("", made_records(50))}
    with serving(stand_in_of(served, 60, faults=deque(["", "503", "503"]))) as stand_in:
        finished = await cli("fetch", "binance", "--symbols", "CLFRUSDT", *SINCE, "--url", stand_in.base_url)
    assert finished.status == 0
    assert finished.out.splitlines()[1:] == [
        "Binance: it answers with status 503: trying again",
        "CLFRUSDT: 50 inserted, 10 hours that Binance does not have",
    ]


async def test_a_fetch_of_hours_that_were_all_asked_for_says_so(cli: Cli) -> None:
    served = {"CLFNUSDT": Served("", made_records(90))}
    with serving(stand_in_of(served, 90)) as stand_in:
        arguments = ("fetch", "binance", "--symbols", "CLFNUSDT", *SINCE, "--url", stand_in.base_url)
        await cli(*arguments)
        finished = await cli(*arguments, "--until", "2020-01-02")
    assert finished.status == 0
    assert finished.out.splitlines()[1:] == [
        "CLFNUSDT: nothing to ask for: all of these hours were asked for before"
    ]


async def test_a_synthetic_crypto_is_not_asked_for(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    await write_candles(data_service, "CLFYUSDT", random_candles(1, 50), synthetic=True)
    with serving(stand_in_of({"CLFYUSDT": Served("", made_records(50))}, 60)) as stand_in:
        finished = await cli("fetch", "binance", "--symbols", "CLFYUSDT", *SINCE, "--url", stand_in.base_url)
    assert finished.status == 1
    assert finished.out.splitlines()[1:] == [
        "CLFYUSDT has synthetic candles: those of binance cannot be mixed in"
    ]
    assert not stand_in.windows()


async def test_a_first_fetch_that_would_change_imported_candles_is_refused_unless_again(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    columns = zip(*((each[0], *map(float, each[1:])) for each in made_records(50).values()), strict=True)
    times_s, *values = (np.array(column) for column in columns)
    await write_candles(data_service, "CLFZUSDT", Candles(times_s, *(1.1 * column for column in values)))
    with serving(stand_in_of({"CLFZUSDT": Served("", made_records(60))}, 60)) as stand_in:
        arguments = ("fetch", "binance", "--symbols", "CLFZUSDT", *SINCE, "--url", stand_in.base_url)
        refused = await cli(*arguments)
        again = await cli(*arguments, "--again")
    assert (refused.status, again.status) == (1, 0)
    (line,) = refused.out.splitlines()[1:]
    assert line.startswith("CLFZUSDT: 50 of 50 stored hours would change, prices by a factor of up to 1.1, ")
    assert line.endswith(": if that is right, --again writes it")
    assert again.out.splitlines()[1:] == ["CLFZUSDT: 10 inserted, 50 corrected"]


async def test_hours_that_kraken_does_not_keep_are_named(cli: Cli) -> None:
    served = {"XCLFZUSD": Served("", made_records(900))}
    stand_in = StandIn(EXCHANGES["kraken"], VirtualClock(START_S + 900 * HOUR_S), served)
    with serving(stand_in):
        finished = await cli("fetch", "kraken", "--quote", "USD", *SINCE, "--url", stand_in.base_url)
    assert finished.status == 1
    (line,) = finished.out.splitlines()[1:]
    assert line == (
        "CLFUSD: --since: Kraken gives only the newest 719 hours, which are those from 2020-01-08 13:00 "
        "UTC on; older ones are in its quarterly files, which `backcast import` reads"
    )


async def test_a_missing_network_is_reported(cli: Cli) -> None:
    """The exchange itself, through a proxy that is not there: see `cli`."""
    finished = await cli("fetch", "okx", "--quote", "USDT", *SINCE)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err == "backcast: the proxy does not let through to OKX\n"


async def test_a_ban_ends_the_fetch_and_is_named_in_the_error(cli: Cli) -> None:
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
        "CLFXUSDT has candles of binance: those of bybit cannot be mixed in",
    ]
    assert not stand_in.windows()


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
            *("fetch", "binance", "--symbols", "BTCUSTD,ETHUSTD", *SINCE, "--url", stand_in.base_url)
        )
    assert finished.status == 1
    assert finished.err.splitlines() == [
        "backcast: --symbols: Binance has no BTCUSTD: did you mean BTCUSDT?; "
        "--symbols: Binance has no ETHUSTD"
    ]


async def test_symbols_that_are_not_spot_are_named_before_the_exchange_is_asked(cli: Cli) -> None:
    with serving(stand_in_of({"BTCUSDT": Served("", {})}, 60)) as stand_in:
        finished = await cli(
            *("fetch", "binance", "--symbols", "BTCUSDT.P,BTC/USDT,?", *SINCE, "--url", stand_in.base_url)
        )
    assert finished.status == 1
    (line,) = finished.err.splitlines()
    assert line.startswith(
        "backcast: --symbols: BTCUSDT.P is a perpetual, and only spot candles can be fetched; "
        "--symbols: '?' is not a symbol: "
    )
    assert not stand_in.asked


# Of another case, spelling, script and length, and with what a terminal would obey.
UNSTORABLE = ("clfvUSDT", "CLFV-USDT", "КЛФUSDT", "CLFV\x1b[31m\0USDT", f"{'CLFV' * 20}USDT")


async def test_pairs_whose_symbols_are_none_are_named_and_the_others_are_fetched(cli: Cli) -> None:
    served = {name: Served("", made_records(50)) for name in ("CLFVUSDT", *UNSTORABLE)}
    with serving(stand_in_of(served, 60)) as stand_in:
        finished = await cli("fetch", "binance", "--quote", "USDT", *SINCE, "--url", stand_in.base_url)
    assert finished.status == 1
    lines = finished.out.splitlines()[1:]
    assert "CLFVUSDT: 50 inserted, 10 hours that Binance does not have" in lines
    assert "'clfvUSDT' of Binance is not a symbol that Backcast knows" in lines
    assert r"'CLFV\x1b[31m\x00USDT' of Binance is not a symbol that Backcast knows" in lines
    assert lines[-1] == "6 cryptos: 1 fetched, 5 failed"
