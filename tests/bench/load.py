"""`python -m tests.bench.load`: many clients at once, each running what is cached in a loop.

Each round is measured beside its floor: as many clients of a bare gRPC server that streams the same bytes.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from rich import box
from rich.console import Console
from rich.table import Table

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.cli.commands.sample import write_sample_market
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.sample_market import CRYPTO_COUNT
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.bench.cache_floor import cached_values
from tests.bench.machine import machine_lines
from tests.bench.runs import request, timed_run
from tests.bench.stream_floor import bare_server, timed_stream
from tests.bench.timing import Spread

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub

_ROUNDS, _CLIENTS, _SECONDS = 5, 32, 4.0
_GETS = 200
# Results a second, and seconds, on two cores.
_LOAD_GOAL, _GET_GOAL_S = 4_000, 0.0014


async def bench(rounds: int, clients: int, console: Console) -> None:
    """Measure so many rounds, after one that warms everything up, and print them."""
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack, AsyncExitStack() as opened:
            await write_sample_market(stack.data_address, console)
            channels = [
                await opened.enter_async_context(open_channel(stack.gateway_address)) for _ in range(clients)
            ]
            stubs = [BacktestServiceStub(channel) for channel in channels]
            await timed_run(stubs[0], request(0, cached=True), from_cache=0)
            async with Redis.from_url(stack.redis_url) as redis:
                messages = list((await cached_values(redis)).values())
            bare = opened.enter_context(bare_server(messages))
            bare_channels = [await opened.enter_async_context(open_channel(bare)) for _ in range(clients)]
            cached = request(0, cached=True, per_event=1)
            ours: list[Callable[[], Awaitable[object]]] = [
                lambda stub=stub: timed_run(stub, cached, from_cache=CRYPTO_COUNT)  # type: ignore[misc]
                for stub in stubs
            ]
            floor: list[Callable[[], Awaitable[object]]] = [
                lambda channel=channel: timed_stream(channel)  # type: ignore[misc]
                for channel in bare_channels
            ]
            measured = [
                (await _results_a_second(ours), await _results_a_second(floor), await _one_crypto(stubs[0]))
                for _ in range(rounds + 1)
            ][1:]
    _print(measured, clients, console)


async def _results_a_second(clients: list[Callable[[], Awaitable[object]]]) -> float:
    """Return how many results all clients together get in a second; the first error ends it."""
    runs, began = 0, time.perf_counter()

    async def loop(run: Callable[[], Awaitable[object]]) -> None:
        nonlocal runs
        while time.perf_counter() - began < _SECONDS:
            await run()
            runs += 1

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(loop(client))
    return runs * CRYPTO_COUNT / (time.perf_counter() - began)


async def _one_crypto(stub: "BacktestServiceAsyncStub") -> float:
    """Return the median time of getting one cached result, in seconds."""
    strategy = request(0, cached=True).spec.strategy
    wanted = pb.RunBacktestsRequest(symbols=["SYN001USDT"], spec=BacktestSpec(strategy=strategy))
    symbol = pb.RunBacktestRequest(symbol="SYN001USDT", spec=BacktestSpec(strategy=strategy))
    async for event in stub.RunBacktests(wanted):
        if event.HasField("started"):
            symbol.spec.end_time.CopyFrom(event.started.request.spec.end_time)
    await stub.RunBacktest(symbol)
    times = []
    for _ in range(_GETS):
        began = time.perf_counter()
        answer = await stub.RunBacktest(symbol)
        times.append(time.perf_counter() - began)
        if not answer.result.from_cache:
            raise RuntimeError("the result did not come from the cache")
    return median(times)


def _print(measured: list[tuple[float, float, float]], clients: int, console: Console) -> None:
    loads, floors, gets = ([row[column] for row in measured] for column in range(3))
    table = Table(
        title=f"{clients} clients, each running the cached {CRYPTO_COUNT} in a loop; {len(measured)} rounds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for heading in ("min", "median", "max"):
        table.add_column(heading, justify="right")
    for name, spread, scale, unit in (
        ("results a second", Spread.of(loads), 1, ",.0f"),
        ("of a bare gRPC server", Spread.of(floors), 1, ",.0f"),
        (
            "share of the bare server's",
            Spread.of([a / b for a, b in zip(loads, floors, strict=True)]),
            1,
            ".0%",
        ),
        ("one cached crypto, milliseconds", Spread.of(gets), 1000, ".2f"),
    ):
        cells = (format(scale * value, unit) for value in (spread.least, spread.median, spread.greatest))
        table.add_row(name, *cells)
    console.print(table)
    load, get_s = median(loads), median(gets)
    enough, fast = ("met" if met else "missed" for met in (load >= _LOAD_GOAL, get_s < _GET_GOAL_S))
    goals = (
        f"at least {_LOAD_GOAL:,} results/s, no error: {enough}, {load:,.0f}",
        f"one cached crypto under {_GET_GOAL_S * 1000:g} ms: {fast}, {get_s * 1000:.2f} ms",
    )
    say(console, "\n".join((*goals, "", *machine_lines())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    parser.add_argument("--clients", type=int, default=_CLIENTS, help=f"how many; default {_CLIENTS}")
    arguments = parser.parse_args()
    asyncio.run(bench(arguments.rounds, arguments.clients, make_console()))
