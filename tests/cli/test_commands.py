"""The `backcast` command against real services, as a user runs it: in a process of its own."""

import asyncio
import gzip
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.local.stack import LocalStack
from tests.candle_making import START_S, random_candles

BACKCAST = [sys.executable, "-m", "services.cli.main"]


@dataclass
class Finished:
    status: int
    out: str
    err: str


class Cli:
    """Runs the command with the stack's addresses in its environment."""

    def __init__(self, stack: LocalStack) -> None:
        self.environment = {
            **os.environ,
            "BACKCAST_GATEWAY_ADDRESS": stack.gateway_address,
            "BACKCAST_DATA_ADDRESS": stack.data_address,
        }

    async def start(self, *arguments: object, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *BACKCAST,
            *map(str, arguments),
            env={**self.environment, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: object, **environment: str) -> Finished:
        process = await self.start(*arguments, **environment)
        out, err = await process.communicate()
        finished = Finished(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in finished.out + finished.err
        return finished


@pytest.fixture(scope="session")
async def cli(stack: LocalStack) -> AsyncIterator[Cli]:
    yield Cli(stack)


def write_csv(path: Path, seed: int, hours: int = 500) -> Path:
    candles = random_candles(seed, hours)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [",".join(map(repr, map(float, row))) for row in zip(*candles.columns(), strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
async def imported(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two cryptos, imported from files by the command itself."""
    folder = tmp_path_factory.mktemp("candles")
    symbols = ["CLIAUSDT", "CLIBUSDT"]
    for seed, symbol in enumerate(symbols):
        write_csv(folder / f"{symbol}.csv", seed)
    finished = await cli("import", folder)
    assert finished.status == 0
    assert [line.split(" (")[0] for line in finished.out.splitlines()] == [
        f"{symbol}: 500 written, 0 unchanged, 0 rejected" for symbol in symbols
    ]
    return symbols


async def test_importing_again_changes_nothing(cli: Cli, imported: list[str], tmp_path: Path) -> None:
    file = write_csv(tmp_path / "CLIAUSDT.csv", 0)
    finished = await cli("import", file)
    assert "CLIAUSDT: 0 written, 500 unchanged, 0 rejected" in finished.out
    assert finished.status == 0


async def test_bad_rows_are_told_and_the_good_ones_written(
    cli: Cli, stack: LocalStack, tmp_path: Path
) -> None:
    lines = write_csv(tmp_path / "whole.csv", 3, hours=20).read_text().splitlines()
    lines[5] = lines[5].replace(",", ",oops", 1)
    lines[9] = ",".join([*lines[9].split(",")[:2], "0.5", *lines[9].split(",")[3:]])
    lines.append(lines[1])
    lines.append(",".join([lines[2].split(",")[0], "1,1,1,1,1"]))
    file = tmp_path / "CLIBADUSDT.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    finished = await cli("import", file)
    assert finished.status == 0
    assert "CLIBADUSDT: 18 written, 0 unchanged, 3 rejected, 1 repeated" in finished.out
    for line in ("line 6: ", "line 10: ", "line 23: "):
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
async def test_a_file_that_cannot_be_read_is_told_and_the_others_imported(
    cli: Cli, stack: LocalStack, tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / "AAAUSDT.csv").write_text(content)
    write_csv(tmp_path / "CLICUSDT.csv", 4, hours=10)
    finished = await cli("import", tmp_path)
    assert finished.status == 1
    first, second = finished.out.splitlines()
    assert first.startswith(f"{tmp_path / 'AAAUSDT.csv'}: ")
    assert reason in first
    assert second.startswith("CLICUSDT: ")


async def test_a_symbol_can_be_given(cli: Cli, stack: LocalStack, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "my own prices.csv", 6, hours=10)
    finished = await cli("import", file, "--symbol", "own/usdt")
    assert finished.out.startswith("OWNUSDT: 10 written")


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
    lines = finished.out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(files.values())
    assert all(" 0 rejected" in line for line in lines)
    assert [line.split()[1] for line in lines[1:4]] == ["744"] * 3
    again = await cli("import", *(market_data / file for file in files))
    assert all(": 0 written" in line for line in again.out.splitlines())


async def test_jsonl_is_a_message_a_line(cli: Cli, imported: list[str]) -> None:
    finished = await cli(
        *("run", "rsi", "--param", "period=5", "--symbols", ",".join(imported), "--format", "jsonl"),
        *("--start", "2024-01-05", "--end", "2024-01-15T12:00:00+00:00", "--fee", 0.002),
        *("--slippage-bps", 3, "--initial-capital", 500, "--detail", "trades", "--no-cache"),
    )
    events = [Parse(line, pb.RunBacktestsResponse()) for line in finished.out.splitlines()]
    assert [event.WhichOneof("event") for event in events] == ["started", "result", "result", "summary"]
    request = events[0].started.request
    assert request.strategy.rsi.period == 5
    assert request.start_time.seconds == START_S + 4 * 86_400
    assert request.end_time.seconds == START_S + 14 * 86_400 + 43_200
    execution = request.execution
    assert (execution.fee_rate, execution.slippage_bps, execution.initial_capital) == (0.002, 3, 500)
    assert request.cache_mode == pb.CACHE_MODE_BYPASS
    assert events[1].result.trades
    assert finished.status == 0
    # Zeros are there, so that what is not there is undefined.
    assert json.loads(finished.out.splitlines()[1])["progress"]["failed"] == 0


async def test_the_table_shows_every_crypto_and_the_summary(cli: Cli, imported: list[str]) -> None:
    finished = await cli("run", "ma_cross", "--param", "kind=ema", "--symbols", ",".join(imported))
    assert finished.status == 0
    for text in (*imported, "fast 20, slow 50, kind EMA", "median", "2 of 2 in"):
        assert text in finished.out


async def test_the_exit_status_tells_of_a_crypto_that_failed(cli: Cli, imported: list[str]) -> None:
    symbols = ("--symbols", ",".join(imported))
    for options in (("--format", "jsonl"), ("--format", "table")):
        finished = await cli("run", "rsi", *symbols, "--end", "2019-01-01", *options)
        assert finished.status == 1
        assert "there are no candles in the window" in finished.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run", "nope"], "strategy: there is no strategy 'nope': choose rsi, ma_cross"),
        (["run", "rsi", "--param", "perod=3"], "--param perod: rsi has no such parameter"),
        (["run", "rsi", "--param", "period"], "'period' is not of the form name=value"),
        (["run", "rsi", "--param", "period=x"], "--param period: 'x' is not a number"),
        (["run", "rsi", "--param", "period=1.5"], "'1.5' is not a whole number"),
        (["run", "rsi", "--param", "period=nan"], "'nan' is not a whole number"),
        (["run", "rsi", "--param", "period=1e9"], "strategy.rsi.period: must be from 2 to 10000"),
        (["run", "rsi", "--param", "period=1e99"], "--param period: 1e99 is out of range"),
        (["run", "rsi", "--param", "oversold=nan"], "strategy.rsi.oversold: must be from 0 to 100"),
        (["run", "ma_cross", "--param", "kind=wma"], "--param kind: 'wma' is not SMA or EMA"),
        (["run", "rsi", "--interval", "2h"], "--interval: '2h' is not one of 1h, 4h, 1d, 1w"),
        (["run", "rsi", "--start", "soon"], "--start: 'soon' is not a time"),
        (["run", "rsi", "--symbols", "NOSUCH"], "symbols[0]: there is no crypto 'NOSUCH'"),
        (["run", "rsi", "--fee", "1"], "execution.fee_rate: must be at least 0 and below 1"),
        (["import", "."], "there is no file to import"),
        (["import", "nowhere.csv"], "nowhere.csv"),
        (["import", ".", "--interval", "1d"], "only 1h candles can be imported"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_bad_arguments_end_in_one_line(
    cli: Cli, imported: list[str], tmp_path: Path, arguments: list[str], reason: str
) -> None:
    arguments = [str(tmp_path) if argument == "." else argument for argument in arguments]
    finished = await cli(*arguments)
    assert finished.status == 1
    assert reason in finished.out + finished.err
    assert len((finished.out + finished.err).splitlines()) == 1


async def test_a_wrong_port_ends_in_one_line(cli: Cli, stack: LocalStack) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        finished = await cli("cryptos", BACKCAST_GATEWAY_ADDRESS=address)
    assert finished.status == 1
    assert finished.err == (
        f"backcast: the gateway service does not answer at {address}: is it running there (`backcast up`)?\n"
    )
    finished = await cli("strategies", BACKCAST_GATEWAY_ADDRESS=stack.data_address)
    assert "is not Backcast's gateway service" in finished.err
    finished = await cli("strategies", BACKCAST_GATEWAY_PORT="70000", BACKCAST_GATEWAY_ADDRESS="x:1")
    assert finished.err.startswith("backcast: BACKCAST_GATEWAY_PORT: ")


async def test_lists(cli: Cli, imported: list[str]) -> None:
    cryptos = await cli("cryptos")
    assert "CLIAUSDT" in cryptos.out
    assert "2024-01-01 00:00" in cryptos.out
    strategies = await cli("strategies")
    for text in ("rsi", "oversold", "bollinger", "UPPER | MIDDLE", "buy_and_hold"):
        assert text in strategies.out


async def test_ctrl_c_ends_a_run(cli: Cli, imported: list[str]) -> None:
    process = await cli.start("run", "rsi", "--format", "jsonl", "--no-cache")
    assert process.stdout
    assert process.stderr
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    await process.stdout.read()
    errors = await process.stderr.read()
    # It may have been done already: then there was nothing to interrupt.
    assert await process.wait() in (0, 1, 130)
    assert b"Traceback" not in errors


async def test_a_reader_that_leaves_ends_a_run_silently(cli: Cli, imported: list[str]) -> None:
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *BACKCAST,
        "run",
        "rsi",
        "--format",
        "jsonl",
        env=cli.environment,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    os.close(reading)
    _, errors = await process.communicate()
    assert errors == b""
