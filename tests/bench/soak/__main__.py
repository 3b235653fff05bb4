"""`python -m tests.bench.soak`: thousands of runs, with cancels, imports and faults in between.

Every result is compared with what the engine makes of the candles that it names, and at the end the services
must hold no more than after the first tenth of the runs.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import grpc
import numpy as np
from rich.console import Console
from rich.progress import Progress

from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.stack import LocalStack, StackSettings
from services.rpc.channel import open_channel
from tests.bench.machine import machine_lines
from tests.bench.soak.client import SoakClient
from tests.bench.soak.holdings import Holdings, count_holdings, growth_lines, holdings_table
from tests.bench.soak.market import HOURS, checker, forget_old_states
from tests.candle_making import random_candles
from tests.changing_crypto import ChangingCrypto
from tests.end_to_end.processes import compute_workers, process_at

_RUNS, _CLIENTS, _CRYPTOS = 10_000, 4, 12
_COUNTS = 10
# How long the gateway keeps a run that ended. Its default keeps more runs the faster they are.
_RUNS_KEPT_S = 10
# Of each hundred runs: imports beside them, and in every third hundred a fault.
_HUNDRED, _IMPORTS, _FAULT_EVERY = 100, 5, 3


async def soak(runs: int, console: Console) -> bool:
    """Run so many times, in hundreds; return whether nothing was wrong and nothing has grown.

    Returns False where it is interrupted.
    """
    os.environ["BACKCAST_RUNS_KEPT_S"] = str(_RUNS_KEPT_S)
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-soak-") as folder:
        columns = Path(folder).resolve() / "columns"
        async with (
            LocalStack(StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)) as stack,
            open_channel(stack.gateway_address) as channel,
        ):
            return _report(*await _run(stack, columns, channel, runs, console), console)
    return False


def _report(counts: list[Holdings], outcomes: Counter[str], console: Console) -> bool:
    """Print what was counted; return whether nothing was wrong and nothing has grown."""
    console.print(holdings_table(counts))
    growth, wrong = growth_lines(counts), outcomes["wrong results"]
    lines = [f"{outcome}: {count:,}" for outcome, count in sorted(outcomes.items())]
    lines += growth or ["nothing has grown"]
    say(console, "\n".join(("", *lines, "", *machine_lines())))
    return not wrong and not growth


async def _run(
    stack: LocalStack, columns: Path, channel: grpc.aio.Channel, runs: int, console: Console
) -> tuple[list[Holdings], Counter[str]]:
    data = MarketDataServiceStub(channel)
    random = np.random.default_rng(0)
    cryptos = [ChangingCrypto(f"SOAK{number:02}USDT") for number in range(_CRYPTOS)]
    for seed, crypto in enumerate(cryptos):
        await crypto.write(data, random_candles(seed, HOURS))
    outcomes: Counter[str] = Counter({"wrong results": 0})
    symbols = [crypto.symbol for crypto in cryptos]
    clients = [
        SoakClient(channel, symbols, np.random.default_rng(100 + number), outcomes)
        for number in range(_CLIENTS)
    ]
    counts, hundreds = [], max(1, runs // _HUNDRED)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("running", total=_HUNDRED * hundreds)
        for hundred in range(hundreds):
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(client.runs(_HUNDRED // _CLIENTS))
                for crypto in random.choice(cryptos, _IMPORTS):
                    change = crypto.corrected(int(random.integers(HOURS)), random.uniform(0.95, 1.05))
                    await crypto.write(data, change)
                if hundred % _FAULT_EVERY == 0:
                    await _fault(stack, hundred // _FAULT_EVERY)
                    outcomes["faults"] += 1
            is_right = checker(cryptos)
            for client in clients:
                client.check(is_right)
            for crypto in cryptos:
                forget_old_states(crypto)
            progress.advance(bar, _HUNDRED)
            if (hundred + 1) % max(1, hundreds // _COUNTS) == 0:
                counts.append(await count_holdings(stack, columns, (hundred + 1) * _HUNDRED))
    return counts, outcomes


async def _fault(stack: LocalStack, number: int) -> None:
    """Kill a worker, or stop compute or data for a while."""
    match number % 3:
        case 0:
            compute_workers(stack)[0].kill()
        case 1:
            await _pause(stack.compute_address)
        case _:
            await _pause(stack.data_address)


async def _pause(address: str) -> None:
    process = process_at(address)
    process.suspend()
    try:
        await asyncio.sleep(0.5)
    finally:
        process.resume()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=_RUNS, help=f"how many, in hundreds; default {_RUNS}")
    sys.exit(0 if asyncio.run(soak(parser.parse_args().runs, make_console())) else 1)
