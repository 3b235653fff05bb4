"""What runs, sweeps and portfolios have in common that a thread reads: how they are read and cancelled."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc

from backcast.calls import Calls
from backcast.errors import BackcastError, CancelledError
from backcast.portfolio_log import PortfolioLog
from backcast.quantities import seconds
from backcast.run_log import Progress, Recovery, RunLog, ended_early
from backcast.sweep_events import BaseSweepLog, SweepRecovery
from backcast.versions import check_server, version_in
from backcast.views import JobView


class Job(JobView):
    """A run, a sweep or a portfolio; leaving its block cancels it."""

    def __init__(
        self,
        calls: Calls,
        log: RunLog | PortfolioLog | BaseSweepLog,
        recovery: Recovery | SweepRecovery,
        timeout_s: float | None,
    ) -> None:
        """`timeout_s` is for everything, whatever streams break off."""
        super().__init__(log)
        self._calls = calls
        self._recovery = recovery
        self._reading = threading.Lock()
        self._call: Any = None
        self._ends_at = None if timeout_s is None else time.monotonic() + seconds(timeout_s, "timeout")

    def begin(self) -> Self:
        """Ask the server, and wait for the start."""
        while not self._log.has_started:
            self._read()
        if self._call is not None:
            check_server(version_in(self._call.initial_metadata()), self._calls.connection.address)
        return self

    def wait(self) -> Self:
        """Wait for the end, and return what was waited for."""
        while not self._log.is_complete:
            self._read()
        return self

    def cancel(self) -> None:
        """Cancel what is not complete: the server computes nothing more of it."""
        if self._is_cancelled or self._log.is_complete:
            return
        self._is_cancelled = True
        if self._call is not None:
            self._call.cancel()
        if self._log.has_started:
            # Where this fails, the server has noticed the end of the stream, or is away: it computes nothing.
            with suppress(grpc.RpcError):
                self._calls.cancel_run(self._log.run_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def _read(self) -> None:
        """Read what comes next; raise CancelledError where this was cancelled."""
        with self._reading:
            if self._log.is_complete:
                # Another thread has read the end.
                return
            if self._is_cancelled:
                raise CancelledError(f"this {self._kind} was cancelled")
            self._read_next()

    def _read_next(self) -> None:
        """Read the next event, through as many streams as it takes."""
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


class ProgressJob(Job):
    """A sweep or a portfolio, whose result comes at its end: iterating yields the progress until then."""

    def __iter__(self) -> Iterator[Progress]:
        """Yield the progress, whenever it changes."""
        while not self._log.is_complete:
            before = self._log.progress
            self._read()
            if self._log.progress != before:
                yield self._log.progress
