"""A client in Go, made by the lines of docs/clients.md from what a fresh clone has, against real services."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from services.domain.candles import Candles
from services.local.stack import LocalStack

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "clients.md").read_text()
# Its versions are fixed here, where the page takes the newest.
GO_MODULE = Path(__file__).with_name("go_client")
# buf is beside python.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


async def ran(command: str, folder: Path, **environment: str) -> tuple[int | None, str, str]:
    """Run a shell command in a folder; return its status and what it printed to its two outputs."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-o", "pipefail", "-c", command),
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    return process.returncode, out.decode(), complaint.decode()


async def printed(command: str, folder: Path, **environment: str) -> str:
    """Run a shell command that has to succeed, and return what it prints."""
    status, out, complaint = await ran(command, folder, **environment)
    assert status == 0, complaint
    return out


def block(beginning: str, language: str = "sh") -> str:
    """Return the page's one block of code that begins like this."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (code,) = (code for code in blocks if code.startswith(beginning))
    return code


@pytest.fixture(scope="module")
async def go_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with Go, its plugins for protoc, and protoc; what the client imports is downloaded."""
    if not shutil.which("go"):
        pytest.skip("NO GO: a client in Go cannot be compiled")
    tools = tmp_path_factory.mktemp("tools")
    module = shutil.copytree(GO_MODULE, tools / "module")
    for command in (*block("go install").splitlines(), "go mod download"):
        status, _, complaint = await ran(command, module, GOBIN=str(tools))
        if status != 0:
            pytest.skip(f"NO GO MODULES: {command}: {complaint.strip().splitlines()[-1]}")
    protoc = tools / "protoc"
    protoc.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m grpc_tools.protoc "$@"\n')
    protoc.chmod(0o755)
    return f"{tools}:{PATH}"


@pytest.fixture(scope="module")
async def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fresh clone has of the API, after the page's one command."""
    clone = tmp_path_factory.mktemp("client") / "backcast"
    shutil.copytree(PROJECT / "protos", clone / "protos", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "buf.gen.yaml", "buf.yaml", "constraints.txt"):
        shutil.copy(PROJECT / name, clone)
    await printed(block("make googleapis"), clone, PYTHON=sys.executable)
    return clone


@pytest.mark.parametrize("generator", ["buf generate", "files=$("])
async def test_a_go_client_prints_every_crypto(
    generator: str,
    clone: Path,
    go_path: str,
    stack: LocalStack,
    market: dict[str, Candles],
) -> None:
    client = clone.with_name("client")
    shutil.rmtree(client, ignore_errors=True)
    await printed(block(generator), clone, PATH=go_path)
    assert [path.name for path in (client / "gen").iterdir()] == ["backcast"]
    shutil.copytree(GO_MODULE, client, dirs_exist_ok=True)
    # Other tests have cryptos there too, and the default window ends with the newest candle of all.
    symbols = ", ".join(f'"{symbol}"' for symbol in market)
    code = block("package main", "go").replace("127.0.0.1:50051", stack.gateway_address)
    of_the_market = code.replace(
        "RunBacktestsRequest{", f"RunBacktestsRequest{{Symbols: []string{{{symbols}}}, "
    )
    assert of_the_market != code
    (client / "main.go").write_text(of_the_market)
    out = await printed("go run .", client, PATH=go_path)
    returns = dict(line.split() for line in out.splitlines())
    assert returns.keys() == market.keys()
    assert all(re.fullmatch(r"[+-]\d+\.\d%", value) for value in returns.values())
