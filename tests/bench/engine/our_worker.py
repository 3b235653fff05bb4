"""Our side as a worker of compute has it: tasks that name files, which are mapped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.compute.candles.stored import StoredCandles
from services.compute.tasks.batch import LocatedTask, Task, TaskBatch, run_batch
from services.compute.tasks.jobs import computed_result
from services.compute.workers.worker import KEPT_BYTES
from services.domain.process_memory import keep_freed_memory
from tests.bench.runs import oversold
from tests.bench.timing import Timing


def task(stored: StoredCandles, strategy: Rsi, window: Window) -> TaskBatch:
    """Return the task of one backtest, all metrics, in a batch of its own."""
    asked = Backtest(strategy, Interval.HOUR_1, window, Execution(), Detail.METRICS)
    return TaskBatch([LocatedTask(stored, Task(computed_result, asked))])


@contextmanager
def worker_measure(market: list[StoredCandles], window: Window) -> Iterator[Callable[[int], Timing]]:
    """Yield what runs the tasks of the whole market, one after the other."""

    keep_freed_memory(KEPT_BYTES)

    def measure(number: int) -> Timing:
        strategy = Rsi(oversold=oversold(number))
        began = time.perf_counter()
        for stored in market:
            run_batch(task(stored, strategy, window))
        return Timing(time.perf_counter() - began)

    yield measure
