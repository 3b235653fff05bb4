"""Our side of the sweep."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from services.compute.engine import Execution, TradedWindow
from services.compute.engine.strategies.rsi import Rsi
from services.compute.stored_candles import StoredCandles
from services.shared.interval import Interval
from tests.bench.engine.markets import YEAR_WINDOW
from tests.bench.timing import Timing

WORKERS = 2

WHAT = f"ours: all combinations on one TradedWindow, all metrics, {WORKERS} processes"


@contextmanager
def sweep_measure(market: list[StoredCandles], grid: list[Rsi]) -> Iterator[Callable[[int], Timing]]:
    """Yield what sweeps once, on workers that are there for all rounds."""
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as workers:
        yield lambda _number: timed_sweep(workers, market, grid)


# TO BE REPLACED when sweeps are streamed: by a call of what computes a whole sweep, ranking and table
# included. _backtest_all goes with it, and WHAT says what it is.
def timed_sweep(workers: Executor, market: list[StoredCandles], grid: list[Rsi]) -> Timing:
    """Backtest all combinations on all cryptos; a task is a crypto, so that combinations share indicators."""
    began = time.perf_counter()
    for _ in workers.map(_backtest_all, market, repeat(grid)):
        pass
    return Timing(time.perf_counter() - began)


def _backtest_all(stored: StoredCandles, grid: list[Rsi]) -> NDArray[np.float64]:
    """Return the figures of each combination, a row for each."""
    traded = TradedWindow(stored.map(), Interval.HOUR_1, YEAR_WINDOW, Execution())
    return np.array([traded.metrics(strategy) for strategy in grid])
