"""The pool of worker processes."""

import asyncio
from typing import Self

from services.compute.engine import BacktestResult
from services.compute.worker import BacktestTask
from services.compute.worker_process import WorkerProcess


class WorkerPool:
    """Processes that run backtests while its context lasts; entering it returns when all are warm.

    To be entered before the first gRPC server or channel of its process. Not a ProcessPoolExecutor: its
    threads took a third of the service's time, and one dead worker breaks all of it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._waiting: asyncio.Queue[tuple[BacktestTask, asyncio.Future[BacktestResult]]] = asyncio.Queue()
        self._workers = [WorkerProcess() for _ in range(size)]
        self._feeders: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(worker.start() for worker in self._workers))
        self._feeders = [asyncio.create_task(self._feed(worker)) for worker in self._workers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def run(self, task: BacktestTask) -> BacktestResult:
        """Run one backtest in a worker; where that died, once more in a new one.

        Cancelling this takes a task back that has not begun; one that has is left to end.
        """
        result: asyncio.Future[BacktestResult] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((task, result))
        return await result

    async def _feed(self, worker: WorkerProcess) -> None:
        """Give `worker` one task after the other."""
        while True:
            task, result = await self._waiting.get()
            if result.cancelled():
                continue
            try:
                answer = await worker.run(task)
            except Exception as error:
                if not result.cancelled():
                    result.set_exception(error)
            else:
                if not result.cancelled():
                    result.set_result(answer)
