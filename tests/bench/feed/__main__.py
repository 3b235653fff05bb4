"""`python -m tests.bench.feed`: how long `backcast fetch` of 211 pairs from 2020 to now takes.

Then, how long a round takes that follows them.

The exchange is a stand-in with the limits of Binance; candles are written by a data service with a database
of its own. All clocks are real: the question is whether the work keeps up with the limits. It takes as long
as the weight of the requests does, some five minutes, needs a machine that does nothing else, and leaves
nothing behind.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.postgres import EmbeddedPostgres
from services.rpc.channel import open_channel
from tests.bench.feed.following import Followed, followed
from tests.bench.machine import machine_lines
from tests.data.data_process import data_process

_PAIRS, _SINCE = 211, "2020-01-01"
# What the exchange allows a minute, and the share of it that a fetch uses.
_WEIGHT, _SHARE = 6000, 0.8
_GOAL = 1.3
_ROUND_GOAL_S = 5.0
# The second fetch, two rounds and the floor: each lists the pairs, and asks once for each of them.
_LATER = 4
_HOUR_S = 3600


@dataclass
class Exchange:
    """A stand-in that runs, and what it was asked when it has ended."""

    url: str
    requests: int = 0
    weight: int = 0
    most_used: int = 0


@dataclass
class Fetched:
    """The outcome of a fetch: its lines, the seconds, and what the command and the services used.

    Of each process, `memory` is the most in bytes, and `processor_s` the processor time in seconds.
    """

    lines: list[str] = field(default_factory=list)
    status: int = 0
    took_s: float = 0.0
    processor_s: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    # The command's when a tenth of the pairs was done.
    early_memory: int = 0


async def bench(pairs: int, since: str, console: Console) -> None:
    """Measure a fetch of so many pairs, and a second one, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        # The database's account, which need not be ours, passes through.
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder)) as database:
            async with data_process(database.url) as (data, address), open_exchange(pairs, since) as exchange:
                services = {"data service": data.pid, "database": database.process.pid}
                # What the rounds bring is left.
                until = datetime.fromtimestamp(time.time() // _HOUR_S * _HOUR_S - _HOUR_S, UTC)
                arguments = (
                    *("fetch", "binance", "--quote", "USDT", "--since", since),
                    *("--until", f"{until:%Y-%m-%d %H:%M}", "--url", exchange.url),
                )
                first = await fetched(arguments, address, services, pairs, console)
                second = await fetched(arguments, address, services, pairs, console)
                async with open_channel(address) as channel:
                    rounds = await followed(channel, exchange.url)
    lines = (*_fetch_lines(pairs, exchange, first, second), *_round_lines(rounds))
    say(console, "\n".join((*lines, "", *machine_lines())))


@asynccontextmanager
async def open_exchange(pairs: int, since: str) -> AsyncGenerator[Exchange]:
    """Run the stand-in as a process."""
    start_s = int(datetime.fromisoformat(since).replace(tzinfo=UTC).timestamp())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.feed.exchange", str(pairs), str(start_s)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        exchange = Exchange((await process.stdout.readline()).decode().strip())
        yield exchange
        process.stdin.close()
        for name, value in json.loads(await process.stdout.readline()).items():
            setattr(exchange, name, value)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def fetched(
    arguments: tuple[str, ...], address: str, services: dict[str, int], pairs: int, console: Console
) -> Fetched:
    """Run the command, and watch it and the processes of the services."""
    result, begin_s = Fetched(), time.monotonic()
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.main", *arguments),
        env={**os.environ, "BACKCAST_GATEWAY_ADDRESS": address},
        stdout=subprocess.PIPE,
    )
    watching = asyncio.create_task(_watch({"fetch": command.pid, **services}, result, pairs))
    progress = Progress(
        TextColumn("fetching"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with progress:
        bar = progress.add_task("", total=pairs)
        async for line in _lines_of(command):
            result.lines.append(line)
            done = sum(" inserted" in each or " unchanged" in each for each in result.lines)
            progress.update(
                bar, completed=done, description=f"{_megabytes(result.memory.get('fetch', 0))} MB"
            )
    result.status = await command.wait()
    result.took_s = time.monotonic() - begin_s
    await watching
    return result


async def _lines_of(command: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert command.stdout
    async for line in command.stdout:
        yield line.decode().rstrip()


async def _watch(pids: dict[str, int], result: Fetched, pairs: int) -> None:
    """Note the most memory of the command and of the services, and their processor time."""
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    begin_s = {name: _processor_s(each) for name, each in processes.items()}
    command = processes["fetch"]
    while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
        for name, process in processes.items():
            with suppress(psutil.NoSuchProcess):
                result.memory[name] = max(result.memory.get(name, 0), process.memory_info().rss)
                result.processor_s[name] = _processor_s(process) - begin_s[name]
        if len(result.lines) <= pairs / 10:
            result.early_memory = result.memory["fetch"]
        await asyncio.sleep(0.25)


def _processor_s(process: psutil.Process) -> float:
    """Return the processor time of a process and of its children."""
    total_s = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total_s += times.user + times.system
    return total_s


def _fetch_lines(pairs: int, exchange: Exchange, first: Fetched, second: Fetched) -> list[str]:
    inserted = sum(int(line.split()[1].replace(",", "")) for line in first.lines if " inserted" in line)
    weight = exchange.weight - _LATER * (20 + 2 * pairs)
    allowed_s = 60 * weight / (_SHARE * _WEIGHT)
    ratio = first.took_s / allowed_s
    most = {name: most for name, most in first.memory.items() if name != "database"}
    memory = ", ".join(f"{name} {_megabytes(most)} MB" for name, most in most.items())
    processor = ", ".join(f"{name} {took_s:.1f} s" for name, took_s in first.processor_s.items())
    requests = exchange.requests - _LATER * (1 + pairs)
    return [
        f"{pairs} pairs, {inserted:,} candles, {requests:,} requests of weight {weight:,}; "
        f"exit status {first.status}",
        f"{first.took_s:.1f} s with the writing, {inserted / first.took_s:,.0f} candles/s",
        f"the weight allows {allowed_s:.1f} s: ratio {ratio:.2f}, at most {_GOAL:g}: "
        f"{'met' if ratio <= _GOAL else 'missed'}",
        f"weight used in a minute: at most {exchange.most_used:,} of {_WEIGHT:,}",
        f"memory of the command: {_megabytes(first.early_memory)} MB after a tenth; "
        f"at most of each process: {memory}",
        f"processor time: {processor}",
        f"the same command again: {second.took_s:.1f} s, exit status {second.status}",
    ]


def _round_lines(rounds: Followed) -> list[str]:
    outcome = rounds.outcome
    failure = f"; FAILED: {outcome.failure}" if outcome.failure else ""
    missing = f", {len(outcome.missing):,} without a candle" if outcome.missing else ""
    verdict = "met" if rounds.round_s <= _ROUND_GOAL_S and outcome.is_done else "missed"
    return [
        f"a round of following {outcome.asked_count} pairs: {rounds.round_s:.2f} s, at most "
        f"{_ROUND_GOAL_S:g}: {verdict}; {outcome.inserted:,} inserted{missing}{failure}",
        f"its requests alone: {rounds.floor_s:.2f} s, ratio {rounds.round_s / rounds.floor_s:.1f}; "
        f"a round that asks for 30 days: {rounds.recheck_s:.2f} s",
    ]


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.feed", description=__doc__)
    parser.add_argument("--pairs", type=int, default=_PAIRS, help=f"how many pairs; default {_PAIRS}")
    parser.add_argument("--since", default=_SINCE, help=f"the first day; default {_SINCE}")
    arguments = parser.parse_args()
    asyncio.run(bench(arguments.pairs, arguments.since, make_console()))
