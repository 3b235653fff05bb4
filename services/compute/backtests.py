"""Many backtests: candles brought to the workers, results in the order in which they complete."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from services.compute.candle_source import CandleSource
from services.compute.column_files import ColumnFiles
from services.compute.engine import BacktestResult, Detail, Execution, Strategy, Window
from services.compute.pool import WorkerPool
from services.compute.worker import BacktestTask
from services.shared.errors import BackcastError, NotFound, Unavailable
from services.shared.interval import Interval


@dataclass(frozen=True, slots=True)
class CryptoData:
    """A crypto, and the fingerprint of its data."""

    symbol: str
    fingerprint: str


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


# The file of a crypto's columns, or why there is none.
Columns = Path | BackcastError


class Backtester:
    """Runs jobs on the pool."""

    def __init__(self, pool: WorkerPool, files: ColumnFiles, source: CandleSource) -> None:
        self._pool = pool
        self._files = files
        self._source = source

    async def run(self, job: BacktestJob) -> AsyncGenerator[Outcome]:
        """Yield each crypto's outcome as it completes; closing the iterator gives the workers back."""
        outcomes: asyncio.Queue[Outcome | Exception] = asyncio.Queue()
        # Enough to keep the workers busy while outcomes travel; a job that is cancelled, or whose reader
        # is slow, has no more than these in the workers' queue and in ours.
        places = asyncio.Semaphore(4 * self._pool.size)
        tasks: set[asyncio.Task[None]] = set()

        async def feed() -> None:
            try:
                async with aclosing(self._with_columns(job)) as ready:
                    async for data, columns in ready:
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

    async def _with_columns(self, job: BacktestJob) -> AsyncGenerator[tuple[CryptoData, Columns]]:
        """Yield every crypto with its columns: first those that are here, then the others as they come."""
        missing = []
        for data in job.cryptos:
            path = self._files.path(data.symbol, job.interval, data.fingerprint)
            if path.exists():
                yield data, path
            else:
                missing.append(data)
        if not missing:
            return
        async with aclosing(self._fetch(missing, job.interval)) as fetched:
            async for item in fetched:
                yield item

    async def _fetch(
        self, missing: list[CryptoData], interval: Interval
    ) -> AsyncGenerator[tuple[CryptoData, Columns]]:
        """Fetch columns; where that fails, every crypto that is still missing gets the error."""
        waiting = {data.symbol: data for data in missing}
        try:
            async with aclosing(self._source.histories(list(waiting), interval)) as histories:
                async for history in histories:
                    # It may have changed since the job was made: what was fetched is what counts.
                    data = CryptoData(history.symbol, history.fingerprint)
                    if len(history.candles):
                        path = await asyncio.to_thread(
                            self._files.write, data.symbol, interval, data.fingerprint, history.candles
                        )
                        yield data, path
                    else:
                        yield data, NotFound("there are no candles")
                    del waiting[history.symbol]
        except BackcastError as error:
            for data in waiting.values():
                yield data, error

    async def _outcome(self, job: BacktestJob, data: CryptoData, columns: Columns) -> Outcome:
        """Run one backtest; columns that another job superseded in the meantime are fetched anew, once."""
        try:
            try:
                return Outcome(data, await self._backtest(job, columns))
            except FileNotFoundError:
                async with aclosing(self._fetch([data], job.interval)) as fetched:
                    async for fresh, path in fetched:
                        return Outcome(fresh, await self._backtest(job, path))
                raise
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
