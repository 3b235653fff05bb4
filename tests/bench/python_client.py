"""`python -m tests.bench.python_client`: how long the Python client takes, beside the bare generated code.

In each round, a thread reads the same cached run of equity curves by the stubs alone, then by the client into
frames. Imports are measured in processes of their own, beside those of the packages that any client needs.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from rich import box
from rich.console import Console
from rich.table import Table

import backcast
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.requests import run_request
from services.cli.commands.sample import write_sample_market
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.sample_market import CRYPTO_COUNT, HOURS
from services.local.stack import LocalStack, StackSettings
from tests.bench.machine import machine_lines
from tests.bench.timing import Spread

_ROUNDS = 9
_FRAMES = ("pandas", "polars", "pyarrow")
# Arrays of NumPy have every symbol as text, which is most of their bytes: they are measured without a goal.
_READERS = ("numpy", *_FRAMES)
# Of the time of the bare stubs, and seconds.
_FRAMES_GOAL, _IMPORT_GOAL_S = 1.2, 0.3
_STRATEGY = backcast.Rsi()
_IMPORT_OURS = "import backcast; backcast.connect"
_IMPORT_FLOOR = "import grpc, numpy, google.protobuf.message"
_TIMED = (
    "import time; began, spent = time.perf_counter(), time.process_time(); {}; "
    "print(time.perf_counter() - began, time.process_time() - spent)"
)
_BARE, _IMPORT = "bare stubs", "import: backcast.connect"


@dataclass(frozen=True, slots=True)
class Measured:
    """How long something took, and the processor time that this process spent meanwhile, in seconds."""

    total_s: float
    processor_s: float


async def bench(rounds: int, console: Console) -> None:
    """Measure so many rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack:
            await write_sample_market(stack.data_address, console)
            measured = await asyncio.to_thread(_measure, stack.gateway_address, rounds)
    _print(measured, console)


def _measure(address: str, rounds: int) -> dict[str, list[Measured]]:
    """Return what each reader has taken in each round."""
    readers: dict[str, Callable[[], None]] = {
        _BARE: lambda: _read_by_stubs(address),
        **{f"frames of {name}": lambda name=name: _read_frames(address, name) for name in _READERS},  # type: ignore[misc]
    }
    # The first round fills the cache and warms everything up.
    timings = [{name: _measured(read) for name, read in readers.items()} for _ in range(rounds + 1)][1:]
    measured = {name: [timing[name] for timing in timings] for name in readers}
    measured["import: grpc, NumPy and protobuf alone"] = [_import(_IMPORT_FLOOR) for _ in range(rounds)]
    measured[_IMPORT] = [_import(_IMPORT_OURS) for _ in range(rounds)]
    return measured


def _read_by_stubs(address: str) -> None:
    request = run_request(_STRATEGY, {"detail": "equity"})
    with grpc.insecure_channel(address) as channel:
        results: list[Any] = []
        for event in BacktestServiceStub(channel).RunBacktests(request):
            results += [event.result] if event.HasField("result") else event.results.results
    points = sum(len(result.equity_curve.equity) for result in results)
    if points != CRYPTO_COUNT * HOURS:
        raise RuntimeError(f"not every crypto has a whole curve: {points} points")


def _read_frames(address: str, library: str) -> None:
    with backcast.connect(address, frames=library) as client:
        frame = client.run(_STRATEGY, detail="equity").equity()
    if len(frame["equity"]) != CRYPTO_COUNT * HOURS:
        raise RuntimeError(f"not every crypto has a whole curve: {len(frame['equity'])} points")


def _measured(work: Callable[[], None]) -> Measured:
    began_s, spent_s = time.perf_counter(), time.process_time()
    work()
    return Measured(time.perf_counter() - began_s, time.process_time() - spent_s)


def _import(code: str) -> Measured:
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(code)], check=True, capture_output=True, text=True
    )
    return Measured(*map(float, done.stdout.split()))


def _print(measured: dict[str, list[Measured]], console: Console) -> None:
    table = Table(
        title=f"{CRYPTO_COUNT} cached equity curves of {HOURS:,} points, {len(measured[_BARE])} rounds; ms",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for heading in ("time: min", "median", "max", "× bare", "processor time: min", "median", "max", "× bare"):
        table.add_column(heading, justify="right")
    total = {name: Spread.of([one.total_s for one in runs]) for name, runs in measured.items()}
    spent = {name: Spread.of([one.processor_s for one in runs]) for name, runs in measured.items()}
    for name in measured:
        cells: list[str] = []
        for spreads in (total, spent):
            spread = spreads[name]
            cells += (f"{1000 * value:,.0f}" for value in (spread.least, spread.median, spread.greatest))
            ratio = spread.median / spreads[_BARE].median
            cells.append(f"{ratio:.2f}" if name.startswith("frames") else "")
        table.add_row(name, *cells)
    console.print(table)
    slowest, most = (
        max(spreads[f"frames of {name}"].median for name in _FRAMES) / spreads[_BARE].median
        for spreads in (total, spent)
    )
    import_s = total[_IMPORT].median
    quick, light = ("met" if met else "missed" for met in (slowest < _FRAMES_GOAL, import_s < _IMPORT_GOAL_S))
    goals = (
        f"frames under {_FRAMES_GOAL:g} × the bare stubs: {quick}, {slowest:.2f} (processor time {most:.2f})",
        f"import under {_IMPORT_GOAL_S:g} s: {light}, {import_s:.2f} s (processor time "
        f"{spent[_IMPORT].median:.2f} s)",
    )
    say(console, "\n".join(("", *goals, "", *machine_lines())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.python_client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
