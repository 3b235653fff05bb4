"""A sweep over portfolios, read by a thread."""

from typing import Any

from backcast.calls import Calls
from backcast.job import ProgressJob
from backcast.portfolio_sweep_log import PortfolioSweepLog
from backcast.sweep_events import SweepRecovery
from backcast.views import PortfolioSweepView


class PortfolioSweep(PortfolioSweepView, ProgressJob):
    """A sweep over portfolios. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    def __init__(self, calls: Calls, log: PortfolioSweepLog, timeout_s: float | None) -> None:
        """`client.sweep_portfolio` makes them."""
        super().__init__(calls, log, SweepRecovery(log, calls.connection.patience_s), timeout_s)

    def table(self) -> Any:
        """Return a frame with a row for each combination: its values and the metrics of its account."""
        return self.wait()._log.table()

    def best(self) -> Any:
        """Return a frame with a row for each of the best combinations, ordered by rank."""
        return self.wait()._log.best()

    def equity(self) -> Any:
        """Return a frame of the out-of-sample curve of a walk-forward, the accounts of its choices."""
        return self.wait()._log.equity()

    @property
    def summary(self) -> Any:
        """The message PortfolioSweepSummary: winner, walk-forward; waits for the end of the sweep."""
        return self.wait()._log.summary
