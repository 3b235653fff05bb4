"""Many backtests: one strategy on many cryptos, results in the order in which they complete."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.compute.candles.location import CryptoData
from services.compute.tasks.backtest import Backtest, backtest
from services.compute.tasks.runner import Outcome, TaskRunner
from services.compute.workers.candle_tasks import Task
from services.engine import columns_of


@dataclass(frozen=True, slots=True)
class BacktestJob:
    """One backtest on many cryptos."""

    cryptos: list[CryptoData]
    backtest: Backtest


class Backtester:
    """Runs jobs on the workers."""

    def __init__(self, runner: TaskRunner) -> None:
        self._runner = runner

    async def run(self, job: BacktestJob) -> AsyncGenerator[Outcome]:
        """Yield each crypto's outcome as it completes; closing the iterator gives the workers back."""
        asked = job.backtest
        task = Task(backtest, asked)
        columns = columns_of(asked.strategy, asked.execution, asked.detail)
        outcomes = self._runner.run(job.cryptos, asked.interval, columns, lambda _: [task])
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome
