"""One backtest: one crypto, one year, as a worker of compute runs it."""

import tempfile
import time
from pathlib import Path

from rich.console import Console

from backcast_engine.strategies.rsi import Rsi
from services.compute.tasks.batch import run_batch
from tests.bench.engine.bare_loop import bare_figures
from tests.bench.engine.markets import YEAR_WINDOW, year_market
from tests.bench.engine.our_worker import task
from tests.bench.engine.ours import backtest
from tests.bench.engine.sampling import sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.engine.stored_market import store_market
from tests.bench.timing import Measure, Spread, Timing

_GOAL_S = 0.002


async def single(rounds: int, console: Console) -> Section:
    """Measure one backtest with and without the files around it; a round takes a crypto of its own."""
    market = year_market(console)
    with tempfile.TemporaryDirectory(prefix="backcast-bench-") as folder:
        stored = store_market(market, Path(folder))

        async def from_files(number: int) -> Timing:
            named = task(stored[number % len(stored)], Rsi(), YEAR_WINDOW)
            began = time.perf_counter()
            run_batch(named)
            return Timing(time.perf_counter() - began)

        async def in_memory(number: int) -> Timing:
            began = time.perf_counter()
            backtest(market[number % len(market)], Rsi(), YEAR_WINDOW)
            return Timing(time.perf_counter() - began)

        async def bare(number: int) -> Timing:
            began = time.perf_counter()
            bare_figures(market[number % len(market)], [Rsi()])
            return Timing(time.perf_counter() - began)

        measures: dict[str, Measure] = {"from files": from_files, "in memory": in_memory, "floor": bare}
        # They take so little that there can be many.
        samples = await sampled(measures, rounds * len(market), "one backtest", console)
    ran, computed, floor = (totals(samples[name]) for name in measures)
    took_s = Spread.of(ran).median
    return Section(
        f"one backtest: RSI, one crypto × {len(market[0]):,} hourly candles, in process",
        [
            Row("a worker's task: column files mapped, all metrics", ran, floor),
            Row("run_backtest: the same on candles in memory", computed, floor),
            Row("floor: the bare loop", floor),
        ],
        goals=[Goal(f"a task under {1000 * _GOAL_S:g} ms", took_s < _GOAL_S, f"{1000 * took_s:.3f} ms")],
    )
