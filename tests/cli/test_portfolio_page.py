"""The commands in docs/portfolios.md do what the page says."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.candle_making import import_candles, random_candles
from tests.cli.conftest import Cli

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

PAGE = (Path(__file__).parents[2] / "docs" / "portfolios.md").read_text()
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
    finished = await cli(*arguments, "--symbols", sample)
    assert (finished.status, finished.err) == (0, "")
    assert ('"result"' if "jsonl" in command else "contribution") in finished.out
