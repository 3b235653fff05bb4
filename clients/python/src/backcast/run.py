"""A run, read by a thread: iterate over it for results as they come, or ask it for frames."""

from collections.abc import Iterator
from typing import Any

from backcast.backtest.v1 import result_pb2
from backcast.calls import Calls
from backcast.job import Job
from backcast.result import Metrics, Result, metrics_of
from backcast.run_log import Recovery, RunLog, needs_detail
from backcast.views import RunView


class Run(RunView, Job):
    """A run of one strategy on many cryptos.

    Iterating yields each result once, as it comes; iterating again begins with the first one. Frames
    wait for the end of the run. A stream that breaks off is resumed. Threads may share a run.
    """

    def __init__(self, calls: Calls, log: RunLog, timeout_s: float | None) -> None:
        """`client.run` and `client.watch` make runs. `timeout_s` is for the whole run."""
        super().__init__(calls, log, Recovery(log, calls.connection.patience_s), timeout_s)

    def __iter__(self) -> Iterator[Result]:
        """Yield each result as it comes, those that have come already first."""
        place = 0
        while True:
            while place < len(self._log.results):
                place += 1
                yield self._log.results[place - 1]
            if self._log.is_complete:
                return
            self._read()

    def __getitem__(self, symbol: str) -> Result:
        """Return the result of a crypto, which may have to be waited for; raise its error where it failed."""
        while (result := self._log.result(symbol)) is None:
            self._read()
        return result

    def metrics(self) -> Any:
        """Return a frame with a row for each crypto: its metrics, and which candles it has."""
        return self.wait()._log.metrics()

    def trades(self) -> Any:
        """Return a frame with a row for each trade; where the run has none, ask for them."""
        return self._with_detail(result_pb2.DETAIL_TRADES).trades()

    def equity(self) -> Any:
        """Return a frame of all equity curves; where the run has none, ask for them."""
        return self._with_detail(result_pb2.DETAIL_EQUITY).equity()

    def summary(self) -> Any:
        """Return a frame of mean, median and quantiles of the metrics over the cryptos."""
        return self.wait()._log.summary_frame()

    def failures(self) -> Any:
        """Return a frame with a row for each crypto that has no result: why."""
        return self.wait()._log.failure_frame()

    @property
    def median(self) -> Metrics:
        """The median of each metric over the cryptos; waits for the end of the run."""
        return metrics_of(self.wait()._log.summary.median)

    def _with_detail(self, detail: int) -> RunLog:
        self.wait()
        if needs_detail(self._log, detail):
            finer = RunLog(self._log.finer_request(detail), self._log.library)
            with Run(self._calls, finer, self._seconds_left()) as run:
                run.wait()
            self._log.take_details(finer)
        return self._log
