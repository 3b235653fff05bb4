"""`python -m tests.bench`: how long runs take, from the client's side. It leaves nothing behind.

Timings are never tests: they depend on the machine, and on what else it does.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from services.cli.commands.sample import write_sample_market
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.sample_market import sample_market
from services.local.stack import LocalStack, StackSettings
from services.settings import load_settings
from tests.bench.machine import machine_lines
from tests.bench.report import goal_lines, table_of
from tests.bench.rounds import Round, open_bench

_ROUNDS = 7


async def bench(count: int, console: Console) -> None:
    """Measure `count` rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack:
            await write_sample_market(stack.data_address, console)
            rounds = await _measure(stack, Path(folder).resolve() / "columns", count, console)
        console.print(table_of(rounds, load_settings().compute_workers))
        say(console, "\n".join(("", *goal_lines(rounds), "", *machine_lines())))


async def _measure(stack: LocalStack, columns: Path, count: int, console: Console) -> list[Round]:
    market = [candles for _, candles in sample_market()]
    async with open_bench(stack, columns, market) as opened:
        variants = track(range(1, count + 2), "measuring", console=console, transient=True)
        _warmup, *rounds = [await opened.round(variant) for variant in variants]
    return rounds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
