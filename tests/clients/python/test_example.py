"""clients/python/example.py does what docs/clients.md says, and the page has its code."""

import asyncio
import os
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from tests.long_run import LONG_HOURS, LONG_SYMBOLS

PROJECT = Path(__file__).parents[3]
EXAMPLE = PROJECT / "clients" / "python" / "example.py"
MARKED = r"^ *# docs: (?!end)[a-z ]+\n(.*?)^ *# docs: end$"


async def printed(stack: LocalStack, task: str, symbols: Iterable[str]) -> str:
    environment = {**os.environ, "BACKCAST_GATEWAY_ADDRESS": stack.gateway_address}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, EXAMPLE, task, *symbols),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return out.decode()


def test_every_snippet_of_the_page_is_a_part_of_the_example_and_every_part_a_snippet() -> None:
    parts = re.findall(MARKED, EXAMPLE.read_text(), re.DOTALL | re.MULTILINE)
    page = (PROJECT / "docs" / "clients.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert sorted(snippets) == sorted(map(textwrap.dedent, parts))
    assert len(snippets) > 5


async def test_a_run_prints_every_frame(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "run", cryptos)
    assert f"{len(cryptos)} of {len(cryptos)}" in out
    for column in ("total_return", "entry_time", "drawdown", "statistic", "reason", "volume"):
        assert column in out


async def test_a_sweep_prints_its_combinations(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "sweep", [*cryptos][:2])
    # 26 periods, 2 cryptos, train and test.
    assert "104 of 104" in out
    assert "combination" in out


async def test_a_portfolio_prints_its_account(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "portfolio", cryptos)
    for column in ("total_return", "contribution", "position_count"):
        assert column in out


async def test_an_event_loop_gets_every_result(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "asyncio", cryptos)
    assert set(cryptos) <= set(out.split())


async def test_a_run_that_is_left_is_cancelled(stack: LocalStack, long_market: None) -> None:
    # Its results are more than fits into all buffers: it waits for its reader.
    out = await printed(stack, "cancel", LONG_SYMBOLS)
    # With the runs of many other tests, a frame says below how many rows it has.
    first, *_, last = (line for line in out.splitlines() if line and not line.startswith("["))
    assert first in LONG_SYMBOLS
    # Runs are ordered by their start.
    assert last.endswith("cancelled")


async def test_a_run_is_watched_from_its_first_result_on(
    stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    assert sorted((await printed(stack, "resume", cryptos)).split()) == sorted(cryptos)


async def test_all_bad_arguments_are_printed(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "errors", cryptos)
    assert {line.split()[0] for line in out.splitlines()} == {"period", f"symbols[{len(cryptos)}]"}


async def test_the_engine_alone_prints_its_results(stack: LocalStack, cryptos: dict[str, Candles]) -> None:
    out = await printed(stack, "engine", cryptos)
    for word in ("Sharpe ratio", "exit_reason", "drawdown"):
        assert word in out
    assert out.count("<LocalResult candles:") == 3


async def test_long_results_come_whole(stack: LocalStack, long_market: None) -> None:
    out = await printed(stack, "big-results", LONG_SYMBOLS[:2])
    assert re.findall(r"LONG\dUSDT (\d+) points", out) == [str(LONG_HOURS)] * 2
