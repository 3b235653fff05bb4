"""What docs/sweeps.md shows does what it says: its commands, its request and its program."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.cli.conftest import Cli
from tests.end_to_end.sweeps.sweeping import swept

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

PAGE = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text()
COMMANDS = [
    line.replace("\\\n", " ")
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in re.split(r"\n(?=\.venv)", block.strip())
]
# Of the market of the tests.
SYMBOLS, START = "RUN01USDT,RUN03USDT", "2024-01-31"


def test_the_page_has_commands_of_all_kinds() -> None:
    assert len(COMMANDS) == 6
    for option in (
        "--param",
        "--entry",
        "--stop-loss",
        "--direction",
        "--random",
        "--optimize",
        "--split",
        "--folds",
    ):
        assert any(option in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_of_the_page_runs(cli: Cli, market: dict[str, Candles], command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/backcast"
    finished = await cli(*arguments, "--symbols", SYMBOLS, "--start", START)
    assert (finished.status, finished.err) == (0, "")
    assert "combinations, medians over the cryptos" in finished.out


async def test_the_error_of_the_page_is_the_one_that_comes(cli: Cli, market: dict[str, Candles]) -> None:
    (shown,) = re.findall(r"^backcast: .*$", PAGE, re.MULTILINE)
    finished = await cli("sweep", "rules", "--entry", "rsi({n}) < 30", "--param", "n=1..5")
    assert (finished.status, finished.err) == (1, f"{shown}\n")


async def test_the_request_of_the_page_is_one(
    gateway: "BacktestServiceAsyncStub", market: dict[str, Candles]
) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    request = ParseDict(json.loads(text), pb.SweepBacktestsRequest())
    request.symbols.extend(SYMBOLS.split(","))
    assert (await swept(gateway, request)).started.combination_count == 8


async def test_the_program_of_the_page_prints_its_table(
    stack: LocalStack, market: dict[str, Candles], tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = tmp_path / "program.py"
    here = code.replace("127.0.0.1:50051", stack.gateway_address)
    of_the_market = f"n=range(5, 9), symbols={SYMBOLS!r}, start={START!r},"
    program.write_text(here.replace("n=range(5, 9),", of_the_market))
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "stop_loss" in out.decode()
