"""A sweep over portfolios, read by a task."""

import asyncio
from typing import Any

from backcast.aio.job import ProgressJob
from backcast.calls import Calls
from backcast.portfolio_sweep_log import PortfolioSweepLog
from backcast.sweep_log import SweepRecovery
from backcast.views import PortfolioSweepView


class PortfolioSweep(PortfolioSweepView, ProgressJob):
    """A sweep over portfolios. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    def __init__(self, calls: Calls, log: PortfolioSweepLog, timeout_s: float | None) -> None:
        """`client.sweep_portfolio` makes them."""
        super().__init__(calls, log, SweepRecovery(log, calls.connection.patience_s), timeout_s)

    async def table(self) -> Any:
        """Return a frame with a row for each combination: its values and the metrics of its account."""
        return (await self.wait())._log.table()

    async def best(self) -> Any:
        """Return a frame with a row for each of the best combinations, ordered by rank."""
        return (await self.wait())._log.best()

    async def summary(self) -> Any:
        """Return the message PortfolioSweepSummary: winner, selection bias."""
        return (await self.wait())._log.summary

    async def _read_next(self) -> None:
        try:
            await super()._read_next()
        except asyncio.CancelledError:
            # A sweep cannot be resumed: who waits again asks for it anew.
            self._log.begin_anew()
            raise
