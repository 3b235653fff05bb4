"""A run, read by a thread: iterate over it for results as they come, or ask it for frames."""

import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc

from backcast.backtest.v1 import result_pb2
from backcast.calls import Calls
from backcast.errors import BackcastError, CancelledError
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest
from backcast.result import Metrics, Result, metrics_of
from backcast.run_log import Recovery, RunLog, ended_early, needs_detail
from backcast.versions import check_server, version_in
from backcast.views import RunView

_CANCEL_TIMEOUT_S = 2.0


class Run(RunView):
    """A run of one strategy on many cryptos.

    Iterating yields each result once, as it comes; iterating again begins with the first one. Frames
    wait for the end of the run. A stream that breaks off is resumed. Only one of the threads of a program
    may use a run at a time.
    """

    def __init__(self, calls: Calls, log: RunLog, timeout_s: float | None) -> None:
        """`client.run` and `client.watch` make runs. `timeout_s` is for the whole run."""
        super().__init__(log)
        self._calls = calls
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        self._recovery = Recovery(log, calls.connection.patience_s)
        self._call: Any = None

    def begin(self) -> Self:
        """Ask the server, and wait for the start of the run."""
        while not self._log.has_started:
            self._read()
        if self._call is not None:
            check_server(version_in(self._call.initial_metadata()), self._calls.connection.address)
        return self

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

    def wait(self) -> Self:
        """Wait for the end of the run, and return it."""
        while not self._log.is_complete:
            self._read()
        return self

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

    def cancel(self) -> None:
        """Cancel the run, if it is not complete: the server computes nothing more of it."""
        if self._is_cancelled or self._log.is_complete:
            return
        self._is_cancelled = True
        if self._call is not None:
            self._call.cancel()
        if self._log.has_started:
            # Where this fails, the server has noticed the end of the stream, or is away: it computes nothing.
            with suppress(grpc.RpcError):
                self._calls.runs.CancelRun(
                    CancelRunRequest(run_id=self.id),
                    metadata=self._calls.connection.metadata,
                    timeout=_CANCEL_TIMEOUT_S,
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def _read(self) -> None:
        """Read the next event, through as many streams as it takes."""
        if self._is_cancelled:
            raise CancelledError("this run was cancelled")
        while True:
            broken: grpc.RpcError | None = None
            try:
                if self._call is None:
                    self._call = self._calls.events(self._log.next_request(), self._seconds_left())
                self._log.add(next(self._call))
            except StopIteration:
                error: BackcastError = ended_early(self._calls.connection.address)
            except grpc.RpcError as failed:
                broken, error = failed, self._calls.error_of(failed)
            except BaseException:
                # Ctrl-C, for one.
                self.cancel()
                raise
            else:
                self._recovery.succeeded()
                return
            self._call = None
            time.sleep(self._recovery.pause_after(broken, error))

    def _seconds_left(self) -> float | None:
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def _with_detail(self, detail: int) -> RunLog:
        self.wait()
        if needs_detail(self._log, detail):
            finer = RunLog(self._log.finer_request(detail), self._log.library)
            with Run(self._calls, finer, self._seconds_left()) as run:
                run.wait()
            self._log.take_details(finer)
        return self._log
