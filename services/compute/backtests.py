"""Many backtests: candles brought to the workers, results in the order in which they complete."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.compute.column_files import CryptoData
from services.compute.column_supply import Columns, ColumnSupply
from services.compute.engine import BacktestResult, Detail, Execution, Strategy, Window, columns_of
from services.compute.pool import WorkerPool
from services.compute.worker import BacktestTask
from services.shared.errors import BackcastError, Unavailable
from services.shared.interval import Interval


@dataclass(frozen=True, slots=True)
class BacktestJob:
    """One strategy on many cryptos."""

    cryptos: list[CryptoData]
    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail


@dataclass(frozen=True, slots=True)
class Outcome:
    """One crypto's result, or why there is none; `data` is what it was computed from."""

    data: CryptoData
    result: BacktestResult | BackcastError


class Backtester:
    """Runs jobs on the pool."""

    def __init__(self, pool: WorkerPool, supply: ColumnSupply) -> None:
        self._pool = pool
        self._supply = supply

    async def run(self, job: BacktestJob) -> AsyncGenerator[Outcome]:
        """Yield each crypto's outcome as it completes; closing the iterator gives the workers back."""
        outcomes: asyncio.Queue[Outcome | Exception] = asyncio.Queue()
        # Enough to keep the workers busy while outcomes travel; a job that is cancelled, or whose reader
        # is slow, has no more than these in the workers' queue and in ours.
        places = asyncio.Semaphore(4 * self._pool.size)
        tasks: set[asyncio.Task[None]] = set()
        supplied = self._supply.columns(
            job.cryptos, job.interval, columns_of(job.strategy, job.execution, job.detail)
        )

        async def feed() -> None:
            try:
                # Not to its end: as long as it is open, its columns stay.
                for _ in job.cryptos:
                    data, columns = await anext(supplied)
                    await places.acquire()
                    task = asyncio.create_task(backtest(data, columns))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            except Exception as error:
                outcomes.put_nowait(error)

        async def backtest(data: CryptoData, columns: Columns) -> None:
            try:
                outcomes.put_nowait(await self._outcome(job, data, columns))
            except Exception as error:
                outcomes.put_nowait(error)

        feeder = asyncio.create_task(feed())
        try:
            for _ in job.cryptos:
                outcome = await outcomes.get()
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
                places.release()
        finally:
            for task in (feeder, *tasks):
                task.cancel()
            await asyncio.gather(feeder, *tasks, return_exceptions=True)
            await supplied.aclose()

    async def _outcome(self, job: BacktestJob, data: CryptoData, columns: Columns) -> Outcome:
        """Run one backtest; columns that another job superseded in the meantime are fetched anew, once."""
        try:
            try:
                return Outcome(data, await self._backtest(job, columns))
            except FileNotFoundError:
                supplied = self._supply.columns(
                    [data], job.interval, columns_of(job.strategy, job.execution, job.detail)
                )
                async with aclosing(supplied):
                    fresh, columns = await anext(supplied)
                    return Outcome(fresh, await self._backtest(job, columns))
        except BackcastError as error:
            return Outcome(data, error)
        except FileNotFoundError:
            return Outcome(data, Unavailable("its candles change faster than they can be read: try again"))

    async def _backtest(self, job: BacktestJob, columns: Columns) -> BacktestResult:
        if isinstance(columns, BackcastError):
            raise columns
        return await self._pool.run(
            BacktestTask(columns, job.strategy, job.interval, job.window, job.execution, job.detail)
        )
