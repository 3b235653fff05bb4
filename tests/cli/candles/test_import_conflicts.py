"""Imports of candles that differ from stored ones, or in which files contradict each other."""

from pathlib import Path

import pytest

from tests.candle_making import START_S
from tests.cli.candles.rows import write_rows
from tests.cli.conftest import Cli


@pytest.mark.parametrize(
    ("rule", "expected", "status"),
    [
        ("replace", "1 corrected, 1 unchanged", 0),
        ("keep", "nothing written, 1 unchanged, 1 differ: the stored ones were kept", 0),
        ("fail", "the first at 2024-01-01 01:00 UTC: close 100.0 is stored, 101.0 is imported", 1),
    ],
)
async def test_a_rule_decides_about_what_is_stored(
    cli: Cli, tmp_path: Path, rule: str, expected: str, status: int
) -> None:
    file = tmp_path / f"CLI{rule.upper()}USDT.csv"
    first = f"{START_S},100,110,90,100,1"
    await cli("import", write_rows(file, first, f"{START_S + 3600},100,110,90,100,1"))
    write_rows(file, first, f"{START_S + 3600},100,110,90,101,1")
    finished = await cli("import", file, "--on-conflict", rule)
    assert expected in finished.out
    assert (finished.status, len(finished.out.splitlines())) == (status, 1)
    assert ("nothing written" in (await cli("import", file)).out) == (rule == "replace")


def _candles(prices: dict[int, float]) -> list[str]:
    return [f"{START_S + 3600 * hour},{price},{price},{price},{price},1" for hour, price in prices.items()]


async def test_a_file_that_changes_much_is_refused(cli: Cli, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "CLIGUARDUSDT.csv", *_candles(dict.fromkeys(range(50), 100.0)))
    assert (await cli("import", file)).status == 0
    write_rows(file, *_candles(dict.fromkeys(range(10), 330.0)))
    refused = await cli("import", file)
    assert refused.status == 1
    assert refused.out == (
        f"{file}: CLIGUARDUSDT: 10 of 10 stored hours would change, prices by a factor of up to 3.3, "
        "at 2024-01-01 00:00 UTC: open 100.0 is stored, 330.0 is imported: if that is right, "
        "--on-conflict replace writes it\n"
    )
    assert "10 corrected" in (await cli("import", file, "--on-conflict", "replace")).out


async def test_files_that_contradict_each_other_are_named_before_one_is_written(
    cli: Cli, tmp_path: Path
) -> None:
    spot = write_rows(tmp_path / "CLITWICEUSDT-1h-2024-01.csv", *_candles({0: 5, 1: 5, 2: 5}))
    other = write_rows(tmp_path / "CLITWICEUSDT-1h-2024-02.csv", *_candles({1: 5, 2: 7, 3: 7}))
    third = write_rows(tmp_path / "CLITWICEUSDT-1h-2024-03.csv", *_candles({9: 7}))
    write_rows(tmp_path / "CLIZUSDT-1h.csv", *_candles({0: 1}))
    refused = await cli("import", tmp_path)
    assert refused.status == 1
    hint = (
        "nothing was written of CLITWICEUSDT; "
        "--on-conflict replace takes the values of the later file, keep those of the earlier file"
    )
    first = "1 hour of CLITWICEUSDT, the first at 2024-01-01 02:00 UTC"
    assert refused.out.splitlines() == [
        f"{spot}: {other} has other values for {first}: open 5.0 here, 7.0 there: {hint}",
        f"{other}: {spot} has other values for {first}: open 7.0 here, 5.0 there: {hint}",
        f"{third}: other files of CLITWICEUSDT contradict each other: {hint}",
        "CLIZUSDT: 1 written (plain-csv, CLIZUSDT-1h.csv)",
        "4 files: 1 imported, 3 refused",
    ]
    assert "CLITWICEUSDT" not in (await cli("cryptos")).out
    # By hand, one of them is right.
    assert "1 corrected" in (await cli("import", spot, other, "--on-conflict", "replace")).out
    assert (await cli("import", spot, other, "--on-conflict", "keep")).status == 0


async def test_files_that_agree_may_overlap(cli: Cli, tmp_path: Path) -> None:
    write_rows(tmp_path / "CLIAGREEUSDT-1h-2024-01.csv", *_candles({0: 5, 1: 5, 2: 5}))
    write_rows(tmp_path / "CLIAGREEUSDT-1h-2024-02.csv", *_candles({1: 5, 2: 5, 3: 5}))
    finished = await cli("import", tmp_path)
    assert finished.status == 0
    assert [line.split(" (")[0] for line in finished.out.splitlines()] == [
        "CLIAGREEUSDT: 3 written",
        "CLIAGREEUSDT: 1 written, 2 unchanged",
        "2 files: 2 imported",
    ]


async def test_with_one_symbol_for_all_files_all_are_compared(cli: Cli, tmp_path: Path) -> None:
    files = [
        write_rows(tmp_path / f"{name}.csv", *_candles({0: 5, 1: price}))
        for name, price in (("one", 5), ("two", 5.1))
    ]
    refused = await cli("import", *files, "--symbol", "CLIMANYUSDT")
    assert refused.status == 1
    assert f"{files[0]}: {files[1]} has other values for 1 hour of CLIMANYUSDT" in refused.out
    assert "CLIMANYUSDT" not in (await cli("cryptos")).out


async def test_symbols_in_files_without_a_name_are_compared(cli: Cli, tmp_path: Path) -> None:
    header = "symbol,timestamp,open,high,low,close,volume"
    for name, price in (("first", 5), ("second", 6)):
        rows = [f"CLIINSIDEUSDT,{row}" for row in _candles({0: price})]
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *rows]))
    refused = await cli("import", tmp_path, "--interval", "1h")
    assert refused.status == 1
    assert "second.csv has other values for 1 hour of CLIINSIDEUSDT" in refused.out


async def test_a_split_within_an_hour_is_reported_and_stored_as_a_break(cli: Cli, tmp_path: Path) -> None:
    prices = [2 if minute < 630 else 2000 for minute in range(1440)]
    rows = (
        f"{START_S + 60 * minute},{price},{price},{price},{price},1" for minute, price in enumerate(prices)
    )
    finished = await cli("import", write_rows(tmp_path / "CLISPLITUSDT.csv", *rows))
    assert finished.status == 0
    line, found = finished.out.splitlines()
    assert line.startswith(
        "CLISPLITUSDT: 23 written, 1,380 one-minute candles became 23 hours, "
        "1 hour left out: the price jumps by a factor of 10 or more within it, 1 break ("
    )
    assert found == "  break: 2 until 2024-01-01 09:00 UTC, 2,000 from 2024-01-01 11:00 UTC"


async def test_a_file_of_two_cryptos_is_refused_unless_a_rule_is_given(cli: Cli, tmp_path: Path) -> None:
    rows = [
        f"{START_S + 3600 * hour},{price},{price},{price},{price},1" for hour in range(24) for price in (9, 1)
    ]
    file = write_rows(tmp_path / "CLIPAIRUSDT.csv", *rows)
    finished = await cli("import", file)
    assert finished.status == 1
    assert finished.out == (
        f"{file}: its rows contradict each other for 24 of 24 times, the first at 2024-01-01 00:00 UTC: "
        "close 9.0 in line 2, 1.0 in 3: --on-conflict replace takes the later rows, keep the earlier ones\n"
    )
    for rule in ("keep", "replace"):
        assert (await cli("import", file, "--on-conflict", rule)).status == 0
