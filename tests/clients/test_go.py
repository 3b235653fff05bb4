"""The client in Go: its form, and the code that protoc generates without buf."""

import shutil
from pathlib import Path

import pytest

from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.clients.program import Program, block, printed


@pytest.mark.slow
async def test_the_program_has_the_usual_form(go_program: Path, tools: dict[str, str]) -> None:
    assert await printed("gofmt -l *.go; go vet .", go_program.parent, **tools) == ""


async def test_what_protoc_generates_makes_the_same_program(
    go_clone: Path,
    go_program: Path,
    tools: dict[str, str],
    stack: LocalStack,
    market: dict[str, Candles],
) -> None:
    client = go_clone.with_name("client")
    shutil.copytree(go_program.parent, client, ignore=shutil.ignore_patterns("gen", "client"))
    await printed(block("files=$("), go_clone, **tools)
    assert [path.name for path in (client / "gen").iterdir()] == ["backcast"]
    await printed("go build", client, **tools)
    done = await Program((client / "client",), stack.gateway_address)("run", *market)
    assert {line.split()[0] for line in done.out.splitlines()} == market.keys()
