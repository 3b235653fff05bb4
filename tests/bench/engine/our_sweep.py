"""Our side of the sweep."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat

from services.compute.engine.strategies.rsi import Rsi
from services.compute.stored_candles import StoredCandles
from tests.bench.engine.markets import YEAR_WINDOW
from tests.bench.engine.ours import backtest
from tests.bench.timing import Timing

WORKERS = 2

# Every how many combinations one is computed; the time is scaled. No divisor of the grid, so that all of its
# levels occur.
MEASURED_EVERY = 9

WHAT = f"ours: run_backtest, one combination at a time (1 of {MEASURED_EVERY}, scaled), {WORKERS} processes"


@contextmanager
def sweep_measure(market: list[StoredCandles], grid: list[Rsi]) -> Iterator[Callable[[int], Timing]]:
    """Yield what sweeps once, on workers that are there for all rounds."""
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as workers:
        yield lambda _number: timed_sweep(workers, market, grid)


# TO BE REPLACED when the sweep engine is there: by a call of it that computes the whole grid. MEASURED_EVERY
# and _backtest_all go with it, and WHAT says what it is.
def timed_sweep(workers: Executor, market: list[StoredCandles], grid: list[Rsi]) -> Timing:
    """Backtest a part of the combinations on all cryptos, and scale that to all of them."""
    part = grid[::MEASURED_EVERY]
    began = time.perf_counter()
    for _ in workers.map(_backtest_all, market, repeat(part)):
        pass
    return Timing((time.perf_counter() - began) * len(grid) / len(part))


def _backtest_all(stored: StoredCandles, grid: list[Rsi]) -> list[tuple[float | None, ...]]:
    candles = stored.map()
    found = [backtest(candles, strategy, YEAR_WINDOW).metrics for strategy in grid]
    return [(each.total_return, each.sharpe_ratio, each.max_drawdown) for each in found]
