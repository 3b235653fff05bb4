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
from tests.bench.processor_time import ProcessorTime
from tests.bench.report import goal_lines, processor_line, table_of
from tests.bench.rounds import Round, open_bench
from tests.bench.runs import request, timed_run

_ROUNDS = 7
# Clocks tick every 10 ms: the mean of so many runs is exact to half a millisecond.
_RUNS = 20


async def bench(count: int, console: Console) -> None:
    """Measure `count` rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack:
            await write_sample_market(stack.data_address, console)
            rounds, spent = await _measure(stack, Path(folder).resolve() / "columns", count, console)
        workers = load_settings().compute_workers
        console.print(table_of(rounds, workers))
        lines = ("", *goal_lines(rounds, workers), processor_line(spent), "", *machine_lines())
        say(console, "\n".join(lines))


async def _measure(
    stack: LocalStack, columns: Path, count: int, console: Console
) -> tuple[list[Round], ProcessorTime]:
    """Return the rounds, and the processor time of computed runs."""
    market = list(sample_market())
    async with open_bench(stack, columns, market) as opened:
        variants = track(range(1, count + 2), "measuring", console=console, transient=True)
        _warmup, *rounds = [await opened.round(variant) for variant in variants]
        spent = ProcessorTime(
            lambda number: timed_run(opened.gateway, request(number, cached=False), from_cache=0)
        )
        for number in range(_RUNS + 1):
            await spent.measure(number)
        return rounds, spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
