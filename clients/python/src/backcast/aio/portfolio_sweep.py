"""A sweep over portfolios, read by a task."""

from typing import Any

from backcast.aio.job import SweepJob
from backcast.views import PortfolioSweepView


class PortfolioSweep(PortfolioSweepView, SweepJob):
    """A sweep over portfolios. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    async def table(self) -> Any:
        """Return a frame with a row for each combination: its values and the metrics of its account."""
        return (await self.wait())._log.table()

    async def best(self) -> Any:
        """Return a frame with a row for each of the best combinations, ordered by rank."""
        return (await self.wait())._log.best()

    async def equity(self) -> Any:
        """Return a frame of the out-of-sample curve of a walk-forward, the accounts of its choices."""
        return (await self.wait())._log.equity()

    async def summary(self) -> Any:
        """Return the message PortfolioSweepSummary: winner, selection bias, walk-forward."""
        return (await self.wait())._log.summary
