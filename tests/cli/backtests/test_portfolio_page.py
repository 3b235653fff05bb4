"""The commands, the request and the program in docs/portfolios.md do what the page says."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.json_format import ParseDict

from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.cli.conftest import Cli

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

PAGE = (Path(__file__).parents[3] / "docs" / "portfolios.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("backcast ")
]


@pytest.fixture(scope="session")
async def sample(data_service: "MarketDataServiceAsyncStub") -> str:
    """Twelve cryptos of the sample market; other tests have cryptos too."""
    symbols = [f"SYN{number:03}USDT" for number in range(1, 13)]
    for number, symbol in enumerate(symbols, 1):
        await import_candles(data_service, symbol, random_candles(number, 24 * 100))
    return ",".join(symbols)


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 3


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_of_the_page_works(cli: Cli, sample: str, command: str) -> None:
    _, *arguments = shlex.split(command)
    # Of the default window, they have the last hundred days only.
    arguments += ["--start", "2024-01-31"] if {"--split", "--folds"} & {*arguments} else []
    finished = await cli(*arguments, "--symbols", sample)
    assert (finished.status, finished.err) == (0, "")
    shown = "the best accounts" if arguments[0] == "sweep-portfolio" else "contribution"
    assert ('"result"' if "jsonl" in command else shown) in finished.out


async def test_the_request_of_the_page_is_one(stack: LocalStack, sample: str) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    request = ParseDict(json.loads(text), SweepPortfoliosRequest(symbols=sample.split(",")))
    async with open_channel(stack.gateway_address) as channel:
        events = [event async for event in PortfolioServiceStub(channel).SweepPortfolios(request)]
    assert events[0].started.combination_count == 4


async def test_the_program_of_the_page_prints_its_table(
    stack: LocalStack, sample: str, tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = tmp_path / "program.py"
    here = code.replace("127.0.0.1:50051", stack.gateway_address)
    program.write_text(here.replace("n=range(5, 9),", f"n=range(5, 9), symbols={sample!r},"))
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert "max_positions" in out.decode()
