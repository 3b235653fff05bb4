"""Our side of the sweep, in processes of its own: their memory is what a sweep takes."""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from multiprocessing.connection import Connection

from services.compute.engine.strategies.rsi import Rsi
from services.compute.stored_candles import StoredCandles
from tests.bench.engine.markets import YEAR_WINDOW
from tests.bench.engine.ours import backtest
from tests.bench.timing import Timing

WORKERS = 2

# Every how many combinations one is computed; the time is scaled. No divisor of the grid, so that all of its
# levels occur.
MEASURED_EVERY = 9

WHAT = f"run_backtest, one combination at a time (1 of {MEASURED_EVERY}, scaled)"


# ---------------------------------------------------------------------------------------------------------
# TO BE REPLACED when the sweep engine is there: by its call, with MEASURED_EVERY gone and WHAT in its words.
def timed_sweep(workers: Executor, market: list[StoredCandles], grid: list[Rsi]) -> Timing:
    """Backtest all combinations on all cryptos in two worker processes."""
    part = grid[::MEASURED_EVERY]
    began = time.perf_counter()
    for _ in workers.map(_backtest_all, market, repeat(part)):
        pass
    return Timing((time.perf_counter() - began) * len(grid) / len(part))


def _backtest_all(stored: StoredCandles, grid: list[Rsi]) -> list[tuple[float | None, ...]]:
    candles = stored.map()
    found = [backtest(candles, strategy, YEAR_WINDOW).metrics for strategy in grid]
    return [(each.total_return, each.sharpe_ratio, each.max_drawdown) for each in found]


# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SweepProcess:
    """The process that sweeps, with its workers."""

    process_id: int
    pipe: Connection

    def timed(self) -> Timing:
        """Sweep once."""
        self.pipe.send(None)
        timing: Timing = self.pipe.recv()
        return timing


@contextmanager
def sweep_process(market: list[StoredCandles], grid: list[Rsi]) -> Iterator[SweepProcess]:
    """Start the process; it sweeps when it is asked to."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_sweep_when_asked, args=(there, market, grid))
    process.start()
    # Closed here, so that the pipe ends when the process does.
    there.close()
    try:
        assert process.pid is not None
        yield SweepProcess(process.pid, here)
    finally:
        here.close()
        process.join()


def _sweep_when_asked(pipe: Connection, market: list[StoredCandles], grid: list[Rsi]) -> None:
    # Ctrl-C is the benchmark's business; the workers inherit that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as workers:
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            pipe.send(timed_sweep(workers, market, grid))
