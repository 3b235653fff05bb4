"""A sweep, read by a thread."""

from typing import Any

from backcast.calls import Calls
from backcast.job import ProgressJob
from backcast.sweep_events import SweepRecovery
from backcast.sweep_log import SweepLog
from backcast.views import SweepView


class Sweep(SweepView, ProgressJob):
    """A sweep over parameters of a strategy. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    def __init__(self, calls: Calls, log: SweepLog, timeout_s: float | None) -> None:
        """`client.sweep` makes sweeps."""
        super().__init__(calls, log, SweepRecovery(log, calls.connection.patience_s), timeout_s)

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
