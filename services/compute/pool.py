"""The pool of worker processes."""

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import structlog

from services.compute import worker
from services.compute.engine import BacktestResult
from services.shared.errors import Unavailable

_log = structlog.get_logger()


class WorkerPool:
    """Processes that run backtests. To be made before the first gRPC server or channel of its process.

    Workers come from a fork server, a process of its own that has imported the engine but never grpc:
    forking from this process would copy gRPC's threads and locks in whatever state they are.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([worker.__name__])
        self._executor = self._make_executor()
        # A process starts when a task finds none idle: as many tasks as processes start them all.
        wait([self._executor.submit(time.sleep, 0.01) for _ in range(size)])

    def _make_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.size, mp_context=self._context, initializer=worker.prepare)

    async def run(self, task: worker.BacktestTask) -> BacktestResult:
        """Run one backtest in a worker; where a worker died, make a new pool and try once more.

        Cancelling this takes a task back that has not begun; one that has is left to end.
        """
        executor = self._executor
        try:
            return await self._submit(executor, task)
        except BrokenProcessPool:
            # One dead worker ends all tasks of its pool; the first of them to get here replaces it.
            if executor is self._executor:
                _log.warning("a worker died: starting new ones")
                self._executor = self._make_executor()
                executor.shutdown(wait=False)
        try:
            return await self._submit(self._executor, task)
        except BrokenProcessPool:
            raise Unavailable("the worker died twice in this backtest") from None

    async def _submit(self, executor: ProcessPoolExecutor, task: worker.BacktestTask) -> BacktestResult:
        return await asyncio.wrap_future(executor.submit(worker.run_task, task))

    def close(self) -> None:
        """End the workers; tasks that have not begun never will."""
        self._executor.shutdown(cancel_futures=True)
