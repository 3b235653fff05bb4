"""A sweep, read by a thread."""

import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc

from backcast.calls import Calls
from backcast.errors import BackcastError, CancelledError
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest
from backcast.requests import rules_request, rules_strategy
from backcast.rules_sweep_log import RulesSweepLog
from backcast.run import Run
from backcast.run_log import Progress, RunLog, ended_early
from backcast.sweep_log import SweepLog, SweepRecovery
from backcast.versions import check_server, version_in
from backcast.views import SweepView

_CANCEL_TIMEOUT_S = 2.0


class Sweep(SweepView):
    """A sweep over parameters of a strategy. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    def __init__(self, calls: Calls, log: SweepLog, timeout_s: float | None) -> None:
        """`client.sweep` makes sweeps."""
        super().__init__(log)
        self._calls = calls
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        self._call: Any = None
        self._recovery = SweepRecovery(log, calls.connection.patience_s)

    def begin(self) -> Self:
        """Ask the server, and wait for the start of the sweep."""
        while not self._log.run_id:
            self._read()
        if self._call is not None:
            check_server(version_in(self._call.initial_metadata()), self._calls.connection.address)
        return self

    def __iter__(self) -> Iterator[Progress]:
        """Yield the progress, whenever it changes."""
        while not self._log.is_complete:
            before = self._log.progress
            self._read()
            if self._log.progress != before:
                yield self._log.progress

    def wait(self) -> Self:
        """Wait for the end of the sweep, and return it."""
        while not self._log.is_complete:
            self._read()
        return self

    def table(self) -> Any:
        """Return a frame with a row for each combination: parameters, medians and means over the cryptos."""
        return self.wait()._log.table()

    def best(self) -> Any:
        """Return a frame with a row for each of the best trials, ordered by rank."""
        return self.wait()._log.best()

    def failures(self) -> Any:
        """Return a frame with a row for each crypto of which backtests failed: how many, and why."""
        return self.wait()._log.failure_frame()

    def equity(self) -> Any:
        """Return a frame of the out-of-sample curves of a walk-forward, ordered by symbol and time."""
        return self.wait()._log.equity()

    @property
    def summary(self) -> Any:
        """The message SweepSummary: winner, selection bias, walk-forward; waits for the end of the sweep."""
        return self.wait()._log.summary

    def cancel(self) -> None:
        """Cancel the sweep, if it is not complete."""
        if self._is_cancelled or self._log.is_complete:
            return
        self._is_cancelled = True
        if self._call is not None:
            self._call.cancel()
        if self._log.run_id:
            # Where this fails, the server has noticed the end of the stream, or is away: it computes nothing.
            with suppress(grpc.RpcError):
                self._calls.runs.CancelRun(
                    CancelRunRequest(run_id=self._log.run_id),
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
        if self._is_cancelled:
            raise CancelledError("this sweep was cancelled")
        while True:
            broken: grpc.RpcError | None = None
            try:
                if self._call is None:
                    self._call = self._calls.stream(
                        self._calls.backtests.SweepBacktests, self._log.request, self._seconds_left()
                    )
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


class RulesSweep(Sweep):
    """A sweep over values in the text of rules: a run for each combination, one after the other."""

    _log: RulesSweepLog

    def _read(self) -> None:
        """Run the next combination."""
        if self._is_cancelled:
            raise CancelledError("this sweep was cancelled")
        parse = self._calls.backtests.ParseRules
        with self._calls.readable_errors():
            parsed = self._calls.unary(parse, rules_request(self._log.next_rules()))
        request = self._log.next_request(rules_strategy(parsed.description.rules))
        run = Run(self._calls, RunLog(request, self._log.library), self._seconds_left())
        run.begin()
        # That of the run under way: `cancel` cancels it.
        self._log.run_id = run.id
        self._log.add_run(run.wait()._log)
