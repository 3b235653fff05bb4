"""`python -m tests.bench.worker_pool`: our pool of workers beside concurrent.futures.ProcessPoolExecutor.

Both run the same calls in two processes, four calls under way at a time, as compute does. The table has what
a call costs the service, how many calls fail when a worker is killed, and how soon cancelled calls give the
workers back.
"""

import asyncio
import multiprocessing
import os
import signal
import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from rich.console import Console
from rich.table import Table

from services.compute.workers.pool import WorkerPool

_CALLS, _UNDER_WAY, _ROUNDS = 4_000, 4, 5
# About the size of a task.
_ARGUMENT = bytes(2_000)
_LONG_CALL_S = 10.0


async def _cost_us(pool: Executor) -> tuple[float, float]:
    """Return the wall time and the service's processor time of a call, in microseconds."""
    calls = iter(range(_CALLS))

    async def call_on() -> None:
        for _ in calls:
            await asyncio.wrap_future(pool.submit(bytes.upper, _ARGUMENT))

    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call_on() for _ in range(_UNDER_WAY)))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return wall / _CALLS * 1e6, cpu / _CALLS * 1e6


async def _failed_by_a_death(pool: Executor) -> int:
    """Kill a worker while 200 calls are waiting or under way, and return how many fail."""
    pid = await asyncio.wrap_future(pool.submit(os.getpid))
    futures = [asyncio.wrap_future(pool.submit(time.sleep, 0.02)) for _ in range(200)]
    await futures[20]
    os.kill(pid, signal.SIGKILL)
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    return sum(isinstance(outcome, BaseException) for outcome in outcomes)


async def _ends_after_s(pool: Executor) -> float:
    """Cancel calls that keep both workers busy, and return after how many seconds the next call is done."""
    futures = [pool.submit(time.sleep, _LONG_CALL_S) for _ in range(2)]
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    for future in futures:
        future.cancel()
    await asyncio.wrap_future(pool.submit(time.sleep, 0))
    return time.perf_counter() - began


async def main() -> None:
    """Measure both in turns, and print a table."""
    costs: list[list[tuple[float, float]]] = [[], []]
    context = multiprocessing.get_context("forkserver")
    async with WorkerPool(2) as ours:
        with ProcessPoolExecutor(2, mp_context=context) as theirs:
            pools: tuple[Executor, Executor] = ours, theirs
            for pool in pools:
                await _cost_us(pool)
            for _ in range(_ROUNDS):
                for pool, measured in zip(pools, costs, strict=True):
                    measured.append(await _cost_us(pool))
            ends = [await _ends_after_s(pool) for pool in pools]
            failed = [await _failed_by_a_death(pool) for pool in pools]
    table = Table("", "WorkerPool", "ProcessPoolExecutor")
    walls, cpus = ([statistics.median(each) for each in column] for column in _columns(costs))
    table.add_row("a call: wall time, µs", *(f"{value:.0f}" for value in walls))
    table.add_row("a call: processor time of the service, µs", *(f"{value:.0f}" for value in cpus))
    table.add_row("calls of 200 that fail when a worker is killed", *map(str, failed))
    table.add_row(
        "calls of 10 s are cancelled: the next call is done after, s", *(f"{value:.1f}" for value in ends)
    )
    Console().print(table)


def _columns(costs: list[list[tuple[float, float]]]) -> tuple[list[list[float]], list[list[float]]]:
    """Return the wall times and the processor times of both pools."""
    return [[wall for wall, _ in rounds] for rounds in costs], [
        [cpu for _, cpu in rounds] for rounds in costs
    ]


if __name__ == "__main__":
    asyncio.run(main())
