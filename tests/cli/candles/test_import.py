"""`backcast import`: the report on each file, and what is stored of it."""

import asyncio
import fcntl
import gzip
import hashlib
import os
import pty
import signal
import socket
import struct
import termios
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from services.local.stack import LocalStack, StackSettings
from tests.candle_making import START_S
from tests.cli.candles.rows import write_rows
from tests.cli.conftest import BACKCAST, Cli, Finished, write_csv
from tests.waiting import LIMIT_S


async def test_importing_again_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "CLIAGAINUSDT.csv", 0)
    assert (await cli("import", file)).out.startswith("CLIAGAINUSDT: 500 written (")
    finished = await cli("import", file)
    assert finished.out.startswith("CLIAGAINUSDT: nothing written, 500 unchanged (")
    assert finished.status == 0


async def test_bad_rows_are_reported_and_the_good_ones_written(
    cli: Cli, stack: LocalStack, tmp_path: Path
) -> None:
    lines = write_csv(tmp_path / "whole.csv", 3, hours=20).read_text().splitlines()
    lines[5] = lines[5].replace(",", ",oops", 1)
    lines[9] = ",".join([*lines[9].split(",")[:2], "0.5", *lines[9].split(",")[3:]])
    lines.append(lines[1])
    lines.append(",".join([*lines[2].split(",")[:5], "7"]))
    file = tmp_path / "CLIBADUSDT.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    finished = await cli("import", file)
    assert finished.status == 0
    assert (
        "CLIBADUSDT: 18 written, 2 rejected, 1 repeated, 1 row in conflict with another (the last one"
        in finished.out
    )
    for line in ("line 3: line 23 has other values", "line 6: ", "line 10: "):
        assert line in finished.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("timestamp,open,high,low,price,volume\n1704067200,1,1,1,1,1\n", "column close"),
        ("hello\nworld\n", "no known format"),
    ],
    ids=["empty", "wrong column", "no candles"],
)
async def test_an_unreadable_file_is_reported_and_the_others_are_imported(
    cli: Cli, stack: LocalStack, tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "AAAUSDT.csv").write_text(content)
    write_csv(tmp_path / "CLICUSDT.csv", 4, hours=10)
    finished = await cli("import", tmp_path)
    assert finished.status == 1
    first, second, totals = finished.out.splitlines()
    assert totals.startswith("2 files: 1 ")
    assert totals.endswith(", 1 refused")
    assert first.startswith(f"{tmp_path / 'AAAUSDT.csv'}: ")
    assert reason in first
    assert second.startswith("CLICUSDT: ")


async def test_a_folders_readme_is_passed_over_and_a_readme_named_by_hand_is_refused(
    cli: Cli, tmp_path: Path
) -> None:
    candles = write_csv(tmp_path / "CLIREADMEUSDT.csv", 5, hours=10)
    candles.with_suffix(".txt").write_text(candles.read_text())
    others = ["LICENSE", "README.md", "how it was made.txt"]
    for name in others:
        (tmp_path / name).write_text("Hourly candles of 2024 and 2025.\nOpen, high, low, close, volume.\n")
    finished = await cli("import", tmp_path)
    assert finished.status == 0
    *_, passed_over, totals = finished.out.splitlines()
    paths = ", ".join(str(tmp_path / name) for name in others)
    assert passed_over == f"3 files without candles passed over: {paths}"
    assert totals == "2 files: 1 imported, 1 with nothing to write"
    for name in others:
        refused = await cli("import", candles, tmp_path / name)
        assert refused.status == 1
        assert f"{tmp_path / name}: it begins with 'Hourly candles" in refused.out
        assert refused.out.endswith("2 files: 1 with nothing to write, 1 refused\n")


async def test_a_folder_with_nothing_but_a_readme_has_no_file_to_import(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing yet.\n")
    refused = await cli("import", tmp_path)
    assert (refused.status, refused.err) == (
        1,
        f"backcast: PATH: there is no file to import in {tmp_path}\n",
    )


async def test_a_symbol_can_be_given(cli: Cli, stack: LocalStack, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "my own prices.csv", 6, hours=10)
    finished = await cli("import", file, "--symbol", "own/usdt")
    assert finished.out.startswith("OWNUSDT: 10 written")


def lines_of_files(finished: Finished) -> list[str]:
    """Return what was printed, without the breaks: beside the candles of other tests, some files have one."""
    return [line for line in finished.out.splitlines() if not line.startswith(" ")]


async def test_real_files_of_three_formats(cli: Cli, stack: LocalStack, market_data: Path) -> None:
    files = {
        "csv-1h/MATICUSDT.csv.gz": "MATICUSDT",
        "binance-vision/BTCUSDT-1h-2024-12.csv.gz": "BTCUSDT",
        "binance-vision/BTCUSDT-1h-2025-01.csv.gz": "BTCUSDT",
        "binance-vision/BTCUSDT-1h-2023-01.csv.gz": "BTCUSDT",
        "freqtrade-json-1h/ADA_USDT-1h.json.gz": "ADAUSDT",
    }
    finished = await cli("import", *(market_data / file for file in files))
    assert finished.status == 0
    *lines, totals = lines_of_files(finished)
    assert totals == "5 files: 5 imported"
    assert [line.split(":")[0] for line in lines] == list(files.values())
    assert "rejected" not in finished.out
    assert [line.split()[1] for line in lines[1:4]] == ["744"] * 3
    *lines, totals = lines_of_files(await cli("import", *(market_data / file for file in files)))
    assert all(": nothing written" in line for line in lines)
    assert totals == "5 files: 5 with nothing to write"


async def test_odd_but_valid_values_are_reported(cli: Cli, tmp_path: Path) -> None:
    later_s = START_S + 30 * 86_400
    file = write_rows(
        tmp_path / "CLIODDUSDT.csv",
        f"{START_S},2,2,2,2,0",
        f"{START_S + 3600},2,2.5,2,2.5,1",
        f"{later_s},200000,200000,200000,200000,1",
    )
    line, notes = (await cli("import", file)).out.splitlines()
    assert line.startswith("CLIODDUSDT: 3 written, 1 without volume, 1 break (")
    assert notes == "  break: 2.5 until 2024-01-01 01:00 UTC, 200,000 from 2024-01-31 00:00 UTC"


async def test_values_of_rejected_rows_and_accepted_times_are_printed(cli: Cli, tmp_path: Path) -> None:
    good = [f"{START_S + 3600 * hour},1,1,1,1,1" for hour in range(12)]
    bad = [f"{START_S - 3600},1.5,1,2,0.1,7", "31/31/2024,1,1,1,1,1"]
    line, *notes = (
        await cli("import", write_rows(tmp_path / "CLIVALUESUSDT.csv", *good, *bad))
    ).out.splitlines()
    assert line.startswith("CLIVALUESUSDT: 12 written, 2 rejected (")
    assert notes[0] == (
        "  line 14: high is below low "
        "(2023-12-31 23:00 UTC, open 1.5, high 1.0, low 2.0, close 0.1, volume 7.0)"
    )
    assert notes[1] == "  line 15: the time is '31/31/2024', not a time"
    assert notes[2].startswith("  times are read like 2024-01-31 13:00 (also with / or . between")


async def test_candles_that_became_hours_are_reported(cli: Cli, tmp_path: Path) -> None:
    minutes = [f"{START_S + 60 * minute},1,1,1,1,1" for minute in range(170)]
    quarters = [f"{START_S + 900 * quarter},1,1,1,1,1" for quarter in range(4)]
    for name, rows, notes in (
        ("CLIMINUTESUSDT", minutes, "2 written, 120 one-minute candles became 2 hours, 1 hour left out as"),
        ("CLIQUARTERSUSDT", quarters, "1 written, 4 fifteen-minute candles became 1 hour ("),
    ):
        assert (await cli("import", write_rows(tmp_path / f"{name}.csv", *rows))).out.startswith(
            f"{name}: {notes}"
        )


async def test_columns_of_other_names_are_mapped(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{START_S + 3600 * hour},1,1,1,1" for hour in range(12)]
    file = tmp_path / "CLIMAPUSDT.csv"
    file.write_text("\n".join(["Zeit,open,high,low,Schluss", *rows]))
    assert "it has no column close" in (await cli("import", file)).out
    finished = await cli(
        "import", file, "--map", "datetime=Zeit", "--map", "close_price=Schluss", "--map", "volume="
    )
    assert finished.out.startswith("CLIMAPUSDT: 12 written, 12 without volume (plain-csv")
    finished = await cli("import", file, "--map", "when=Zeit")
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith("backcast: --map: 'when=Zeit' is not NAME=COLUMN; the names are datetime,")


async def test_checksums_are_no_candles_and_are_checked(cli: Cli, tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "x", 8, hours=20).read_bytes()
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, content in (("CLIONEUSDT", csv), ("CLITWOUSDT", csv.replace(b".", b".0"))):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}.csv", content)
        packed = (folder / f"{name}.zip").read_bytes() if name == "CLIONEUSDT" else csv
        (folder / f"{name}.zip.CHECKSUM").write_text(f"{hashlib.sha256(packed).hexdigest()}  {name}.zip\n")
    finished = await cli("import", folder)
    assert finished.status == 1
    one, two, _ = finished.out.splitlines()
    assert one.startswith("CLIONEUSDT: 20 written (plain-csv, CLIONEUSDT.zip)")
    assert "CLITWOUSDT.zip: it is damaged, or another file: its SHA-256 is not the one in" in two


async def test_a_candle_that_is_not_closed_is_left_out(short_folder: Path, tmp_path: Path) -> None:
    # In a market of its own: a candle of today moves the default window of all tests behind this one.
    settings = StackSettings(short_folder / "open", 0, 0, 0, database_url=None, redis_url=None, quiet=True)
    now_s = int(time.time()) // 3600 * 3600
    file = write_rows(tmp_path / "CLIOPENUSDT.csv", f"{now_s - 3600},1,1,1,1,1", f"{now_s},1,1,1,1,1")
    async with LocalStack(settings) as stack:
        finished = await Cli(stack)("import", file)
    assert finished.out.startswith("CLIOPENUSDT: 1 written, 1 candle left out as not closed yet (")


async def test_an_unreachable_service_ends_it_in_one_line(cli: Cli, tmp_path: Path) -> None:
    for number in range(3):
        write_csv(tmp_path / f"CLIAWAY{number}USDT.csv", number, hours=5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        finished = await cli("import", tmp_path, BACKCAST_GATEWAY_ADDRESS=address)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.splitlines() == [
        f"backcast: the gateway service does not answer at {address}: is it running there (`backcast up`)?"
    ]


async def test_a_name_that_is_no_text_is_reported(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text("hello")
    finished = await cli("import", tmp_path)
    assert finished.status == 1
    assert "caf?.csv: " in finished.out


async def test_ctrl_c_ends_an_import_at_once(cli: Cli, tmp_path: Path) -> None:
    """What it talks to takes the connection and never answers: it is being written when the signal comes."""
    file = write_csv(tmp_path / "CLISTOPUSDT.csv", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = await cli.start("import", file, BACKCAST_GATEWAY_ADDRESS=address)
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            process.send_signal(signal.SIGINT)
            out, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert (process.returncode, out, errors) == (130, b"", b"")


async def test_a_terminal_shows_progress_and_ten_rejections(cli: Cli, tmp_path: Path) -> None:
    bad = [f"{START_S + 3600 * hour},1,1,2,1,1" for hour in range(12)]
    file = write_rows(tmp_path / "CLITTYUSDT-1h.csv", *bad, f"{START_S - 3600},1,1,1,1,1")
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *BACKCAST, "import", file, env={**cli.environment, "TERM": "xterm"}, stdout=writing
    )
    os.close(writing)
    shown = await asyncio.to_thread(_all_of, reading)
    assert await process.wait() == 0
    assert "1 of 1" in shown
    assert shown.count("high is below low") == 10
    assert "… and 2 more" in shown


def _all_of(reading: int) -> str:
    parts = []
    # A terminal whose other side is closed is an error to read from.
    with suppress(OSError):
        while part := os.read(reading, 65_536):
            parts.append(part)
    os.close(reading)
    return b"".join(parts).decode()
