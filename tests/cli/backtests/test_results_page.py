"""The commands on docs/results.md, as they stand there, for five cryptos."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.candle_making import import_candles, random_candles
from tests.cli.conftest import Cli

if TYPE_CHECKING:
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

PAGE = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line
]
SYMBOLS = [f"PAGE{letter}USDT" for letter in "ABCDE"]
START_S = 1_735_689_600  # 2025-01-01T00:00:00Z


@pytest.fixture(scope="session")
async def candles(data_service: "MarketDataServiceAsyncStub") -> None:
    """A hundred days of 2025."""
    for number, symbol in enumerate(SYMBOLS):
        await import_candles(data_service, symbol, random_candles(number + 600, 24 * 100, START_S))


def test_the_page_has_commands() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} == {
        "compare",
        "run",
        "sweep",
        "portfolio",
        "report",
    }


@pytest.mark.usefixtures("candles")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_of_the_page_succeeds(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(command)
    assert program == "backcast"
    finished = await cli(*arguments, "--symbols", ",".join(SYMBOLS))
    assert finished.status == 0, finished.err
    if "--output" in arguments:
        output = Path(arguments[arguments.index("--output") + 1])
        assert output.is_dir() or output.stat().st_size > 100
