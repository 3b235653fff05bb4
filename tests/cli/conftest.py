"""The `backcast` command as a user runs it: in a process of its own, against real services."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.local.postgres import EmbeddedPostgres
from services.local.stack import LocalStack
from tests.candle_making import random_candles

BACKCAST = [sys.executable, "-m", "services.cli.main"]


@dataclass
class Finished:
    status: int
    out: str
    err: str


class Cli:
    """Runs the command with the gateway's address in its environment."""

    def __init__(self, stack: LocalStack) -> None:
        self.environment = {
            **os.environ,
            "BACKCAST_GATEWAY_ADDRESS": stack.gateway_address,
            # What would leave this machine meets a proxy that is not there.
            **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:1"),
            "NO_PROXY": "",
        }

    async def start(
        self, *arguments: object, out: int = asyncio.subprocess.PIPE, **environment: str
    ) -> asyncio.subprocess.Process:
        return await self.start_python(*BACKCAST[1:], *arguments, out=out, **environment)

    async def start_python(
        self, *arguments: object, out: int = asyncio.subprocess.PIPE, **environment: str
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, arguments),
            env={**self.environment, **environment},
            stdout=out,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: object, **environment: str) -> Finished:
        process = await self.start(*arguments, **environment)
        out, err = await process.communicate()
        finished = Finished(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in finished.out + finished.err
        return finished


@pytest.fixture(scope="session")
def postgres(short_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server in which tests make databases of their own."""
    folder = short_folder / "databases"
    folder.mkdir()
    with EmbeddedPostgres(folder) as server:
        yield server


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
        *(f"{symbol}: 500 written" for symbol in symbols),
        "2 files: 2 imported",
    ]
    return symbols
