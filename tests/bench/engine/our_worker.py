"""Our side as a worker of compute has it: tasks that name files, which are mapped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.compute.engine import Detail, Execution, Window
from services.compute.engine.strategies import Rsi
from services.compute.stored_candles import StoredCandles
from services.compute.worker import BacktestTask, run_task
from services.shared.interval import Interval
from tests.bench.runs import oversold
from tests.bench.timing import Timing


def task(stored: StoredCandles, strategy: Rsi, window: Window) -> BacktestTask:
    """Return the task of one backtest, all metrics."""
    return BacktestTask(stored, strategy, Interval.HOUR_1, window, Execution(), Detail.METRICS)


@contextmanager
def worker_measure(market: list[StoredCandles], window: Window) -> Iterator[Callable[[int], Timing]]:
    """Yield what runs the tasks of the whole market, one after the other."""

    def measure(number: int) -> Timing:
        strategy = Rsi(oversold=oversold(number))
        began = time.perf_counter()
        for stored in market:
            run_task(task(stored, strategy, window))
        return Timing(time.perf_counter() - began)

    yield measure
