"""A run, read by a task: iterate over it for results as they come, or ask it for frames."""

from collections.abc import AsyncIterator
from typing import Any

from backcast.aio.job import Job
from backcast.backtest.v1 import result_pb2
from backcast.calls import Calls
from backcast.result import Metrics, Result, metrics_of
from backcast.run_log import Recovery, RunLog, needs_detail
from backcast.views import RunView


class Run(RunView, Job):
    """A run of one strategy on many cryptos.

    Iterating yields each result once, as it comes; iterating again begins with the first one. Frames
    wait for the end of the run. A stream that breaks off is resumed. Tasks may share a run.
    """

    def __init__(self, calls: Calls, log: RunLog, timeout_s: float | None) -> None:
        """`client.run` and `client.watch` make runs. `timeout_s` is for the whole run."""
        super().__init__(calls, log, Recovery(log, calls.connection.patience_s), timeout_s)

    async def __aiter__(self) -> AsyncIterator[Result]:
        """Yield each result as it comes, those that have come already first."""
        place = 0
        while True:
            while place < len(self._log.results):
                place += 1
                yield self._log.results[place - 1]
            if self._log.is_complete:
                return
            await self._read()

    async def result(self, symbol: str) -> Result:
        """Return the result of a crypto, which may have to be waited for; raise its error where it failed."""
        while (result := self._log.result(symbol)) is None:
            await self._read()
        return result

    async def metrics(self) -> Any:
        """Return a frame with a row for each crypto: its metrics, and which candles it has."""
        return (await self.wait())._log.metrics()

    async def trades(self) -> Any:
        """Return a frame with a row for each trade; where the run has none, ask for them."""
        return (await self._with_detail(result_pb2.DETAIL_TRADES)).trades()

    async def equity(self) -> Any:
        """Return a frame of all equity curves; where the run has none, ask for them."""
        return (await self._with_detail(result_pb2.DETAIL_EQUITY)).equity()

    async def summary(self) -> Any:
        """Return a frame of mean, median and quantiles of the metrics over the cryptos."""
        return (await self.wait())._log.summary_frame()

    async def failures(self) -> Any:
        """Return a frame with a row for each crypto that has no result: why."""
        return (await self.wait())._log.failure_frame()

    async def median(self) -> Metrics:
        """Return the median of each metric over the cryptos."""
        return metrics_of((await self.wait())._log.summary.median)

    async def _with_detail(self, detail: int) -> RunLog:
        await self.wait()
        if needs_detail(self._log, detail):
            finer = RunLog(self._log.finer_request(detail), self._log.library)
            async with Run(self._calls, finer, self._seconds_left()) as run:
                await run.wait()
            self._log.take_details(finer)
        return self._log
