"""`backcast data check`: its report on stored candles."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from services.imports.candle_writer import FetchedFrom, write_candles
from tests.candle_making import START_S, random_candles
from tests.cli.conftest import Cli

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


async def _imported(cli: Cli, folder: Path) -> None:
    later_s = START_S + 30 * 86_400
    rows = [f"{START_S},2,2,2,2,0", f"{START_S + 7200},2,2,2,2,1", f"{later_s},90,90,90,90,1"]
    (folder / "CHECKUSDT-1h.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    assert (await cli("import", folder)).status == 0


async def test_gaps_and_breaks_are_shown(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path)
    finished = await cli("data", "check", "check/usdt", "CHECKUSDT")
    assert finished.status == 0
    (row,) = (line.split() for line in finished.out.splitlines() if line.strip().startswith("CHECKUSDT "))
    assert " ".join(row) == (
        "CHECKUSDT 3 2024-01-01 00:00 2024-01-31 00:00 2 718 717 h from 2024-01-01 33.33% 1"
    )
    assert "CHECKUSDT: break: 2 until 2024-01-01 02:00 UTC, 90 from 2024-01-31 00:00 UTC" in finished.out
    assert "1 crypto, 3 hourly candles" in finished.out


async def test_all_cryptos_as_json(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path)
    finished = await cli("data", "check", "--format", "jsonl")
    checks = {check["symbol"]: check for check in map(json.loads, finished.out.splitlines())}
    assert checks["CHECKUSDT"]["longest_gap"] == {"start_s": START_S + 10_800, "missing": 717}
    assert checks["CHECKUSDT"]["breaks"][0]["open"] == 90


async def test_hours_that_the_exchange_lacks_are_distinguished_from_hours_never_asked(
    cli: Cli, data_service: "MarketDataServiceAsyncStub"
) -> None:
    candles = random_candles(5, 100)
    there = np.r_[0:10, 12:50, 60:70, 75:100]  # 2, 10 and 5 hours are missing
    for symbol, last in (("CHECKFAUSDT", 100), ("CHECKFBUSDT", 62)):
        await write_candles(data_service, symbol, candles.at(there))
        fetched = FetchedFrom("okx", START_S, START_S + last * 3600)
        await write_candles(data_service, symbol, candles.at(there[there < last]), fetched=fetched)
    finished = await cli("data", "check", "CHECKFAUSDT", "CHECKFBUSDT", COLUMNS="300")
    rows = {row[0]: row[1:] for row in map(str.split, finished.out.splitlines()) if row}
    assert rows["CHECKFAUSDT"][5:8] == ["3", "17", "–"]
    assert rows["CHECKFBUSDT"][5:8] == ["3", "17", "5"]
    never = (
        "CHECKFBUSDT: okx was never asked for 5 of 17 missing hours, the first at 2024-01-03 22:00 UTC: "
        "`backcast fetch okx --symbols CHECKFBUSDT --since 2024-01-03` asks for them"
    )
    assert [line for line in finished.out.splitlines() if "never asked for" in line] == [
        never,
        "fetched: 34 missing hours, of which exchanges do not have 29 and were never asked for 5",
    ]
    checked = await cli("data", "check", "CHECKFBUSDT", "--format", "jsonl")
    check = json.loads(checked.out)
    assert (check["source"], check["never_asked"]) == ("okx", 5)
    assert check["never_asked_from_s"] == START_S + 70 * 3600


async def test_what_was_stored_wrongly_is_named(cli: Cli, tmp_path: Path) -> None:
    """What earlier versions made of such files, forced in."""
    rows = [f"{START_S + 4 * 3600 * number},2,3,1,{2 + number % 2},0" for number in range(30)]
    file = tmp_path / "candles.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    assert (await cli("import", file, "--symbol", "BITSTAMP", "--interval", "1h")).status == 0
    out = (await cli("data", "check", "BITSTAMP", COLUMNS="300")).out
    place = "from 2024-01-01 00:00 UTC to 2024-01-05 20:00 UTC"
    for sentence in (
        "BITSTAMP: the symbol is no pair like BTCUSDT, BTCUSDT.P or BTCUSDT_240329",
        f"BITSTAMP: 30 candles are 4 hours apart {place}: longer candles, stored as hours?",
        f"BITSTAMP: 30 candles {place} have no volume, though their prices change: mark or index prices?",
    ):
        assert sentence in out
    (check,) = map(json.loads, (await cli("data", "check", "BITSTAMP", "--format", "jsonl")).out.splitlines())
    assert [suspicion["sign"] for suspicion in check["suspicions"]] == [
        "no pair",
        "longer candles",
        "no volume",
    ]


async def test_a_symbol_of_an_earlier_version_and_a_split_within_an_hour_are_named(
    cli: Cli, tmp_path: Path
) -> None:
    rows = [f"{START_S + 3600 * hour},2,{2000 if hour == 7 else 2},2,2,1" for hour in range(12)]
    file = tmp_path / "candles.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    for symbol, now, spelled in (
        ("CHECKUSDTPERP", "CHECKUSDT.P", "CHECKUSDT_PERP"),
        ("CHECKUSDT240329", "CHECKUSDT_240329", "CHECKUSDT_240329"),
    ):
        assert (await cli("import", file, "--symbol", symbol)).status == 0
        out = (await cli("data", "check", symbol, COLUMNS="300")).out
        go = f"imports of {spelled} go to {now} now: delete {symbol}, and import its files again"
        hour = "the price changes by a factor of up to 1,000 within 1 hour, 2024-01-01 07:00 UTC"
        assert f"{symbol}: {go}" in out
        assert f"{symbol}: {hour}: a split, or a wrong price?" in out


async def test_an_unknown_symbol_is_named_in_one_line(cli: Cli, tmp_path: Path) -> None:
    await _imported(cli, tmp_path)
    for symbol, reason in (
        ("NOSUCH", "backcast: SYMBOL: there is no crypto 'NOSUCH'\n"),
        ("CHECKUSD", "backcast: SYMBOL: there is no crypto 'CHECKUSD': did you mean CHECKUSDT"),
        ("a b", "SYMBOL: 'a b' is not a"),
    ):
        finished = await cli("data", "check", "CHECKUSDT", symbol)
        assert (finished.status, finished.out) == (1, "")
        assert reason in finished.err
        assert len(finished.err.splitlines()) == 1
