"""The pool of workers: what comes back, what happens when one dies, and what a cancellation takes back."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from services.compute.engine import Detail, Execution, Strategy, Window, columns_of, run_backtest
from services.compute.engine.strategies import Signals
from services.compute.engine.strategies.rsi import Rsi
from services.compute.pool import WorkerPool
from services.compute.stored_candles import StoredCandles
from services.compute.worker import BacktestTask
from services.shared.candles import Candles
from services.shared.errors import NotFound, Unavailable
from services.shared.interval import Interval
from tests.candle_making import START_S, random_candles

CANDLES = random_candles(1, 3000)
WINDOW = Window(START_S, START_S + 3600 * 3000)


@dataclass(frozen=True)
class Acting(Strategy):
    """Leaves a mark in `folder`, then does something that strategies do not do."""

    name: ClassVar[str] = "acting"
    summary: ClassVar[str] = "For tests."

    folder: str
    act: str

    @property
    def warmup_candles(self) -> int:
        return 0

    def signals(self, candles: Candles) -> Signals:
        marks = len(list(Path(self.folder).iterdir()))
        (Path(self.folder) / str(marks)).touch()
        if self.act == "die" or (self.act == "die once" and marks == 0):
            os._exit(1)
        if self.act == "fail":
            raise ZeroDivisionError("as it was told to")
        if self.act == "wait":
            time.sleep(0.3)
        never = np.zeros(len(candles), bool)
        return Signals(buy=never, sell=never)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredCandles:
    stored = StoredCandles(tmp_path_factory.mktemp("columns"), "A-1h-1", columns_of(Rsi()))
    stored.write([CANDLES])
    return stored


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(1) as pool:
        yield pool
    # What workers come from would live as long as this process, and look like something left running.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def task(stored: StoredCandles, strategy: Strategy, window: Window = WINDOW) -> BacktestTask:
    return BacktestTask(stored, strategy, Interval.HOUR_1, window, Execution(), Detail.EQUITY)


async def test_a_result_is_the_engines(pool: WorkerPool, stored: StoredCandles) -> None:
    result = await pool.run(task(stored, Rsi()))
    here = run_backtest(CANDLES, Rsi(), Interval.HOUR_1, WINDOW, Execution(), Detail.EQUITY)
    assert (result.metrics, result.coverage, result.trades) == (here.metrics, here.coverage, here.trades)
    assert result.equity_curve is not None
    assert here.equity_curve is not None
    np.testing.assert_array_equal(result.equity_curve.equity, here.equity_curve.equity)


async def test_errors_are_raised_here_and_tell_where_they_come_from(
    pool: WorkerPool, stored: StoredCandles, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="no candles in the window"):
        await pool.run(task(stored, Rsi(), Window(0, 1)))
    with pytest.raises(FileNotFoundError):
        await pool.run(task(replace(stored, name="gone"), Rsi()))
    with pytest.raises(ZeroDivisionError, match="as it was told to") as failure:
        await pool.run(task(stored, Acting(str(tmp_path), "fail")))
    assert "in signals" in "".join(failure.value.__notes__)


async def test_a_backtest_whose_worker_dies_is_tried_once_more(
    pool: WorkerPool, stored: StoredCandles, tmp_path: Path
) -> None:
    result = await pool.run(task(stored, Acting(str(tmp_path), "die once")))
    assert result.metrics.total_return == 0
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_deadly_backtest_fails_and_harms_no_other(
    pool: WorkerPool, stored: StoredCandles, tmp_path: Path
) -> None:
    deadly = pool.run(task(stored, Acting(str(tmp_path), "die")))
    died, other = await asyncio.gather(deadly, pool.run(task(stored, Rsi())), return_exceptions=True)
    assert isinstance(died, Unavailable)
    assert not isinstance(other, BaseException)
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_cancellation_takes_back_what_has_not_begun(
    pool: WorkerPool, stored: StoredCandles, tmp_path: Path
) -> None:
    waiting = task(stored, Acting(str(tmp_path), "wait"))
    begun, queued = (asyncio.create_task(pool.run(waiting)) for _ in range(2))
    while not list(tmp_path.iterdir()):
        await asyncio.sleep(0.01)
    begun.cancel()
    queued.cancel()
    result = await pool.run(task(stored, Rsi()))
    assert result.metrics.trade_count
    assert begun.cancelled()
    assert queued.cancelled()
    assert len(list(tmp_path.iterdir())) == 1
