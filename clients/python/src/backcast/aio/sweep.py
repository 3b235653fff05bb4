"""A sweep, read by a task."""

from typing import Any

from backcast.aio.job import SweepJob
from backcast.views import SweepView


class Sweep(SweepView, SweepJob):
    """A sweep over parameters of a strategy. Iterating yields its progress; frames wait for its end.

    A sweep whose stream breaks off is asked for again: what is computed comes from the cache.
    """

    async def table(self) -> Any:
        """Return a frame with a row for each combination: parameters, medians and means over the cryptos."""
        return (await self.wait())._log.table()

    async def best(self) -> Any:
        """Return a frame with a row for each of the best trials, ordered by rank."""
        return (await self.wait())._log.best()

    async def failures(self) -> Any:
        """Return a frame with a row for each crypto of which backtests failed: how many, and why."""
        return (await self.wait())._log.failure_frame()

    async def equity(self) -> Any:
        """Return a frame of the out-of-sample curves of a walk-forward, ordered by symbol and time."""
        return (await self.wait())._log.equity()

    async def summary(self) -> Any:
        """Return the message SweepSummary: winner, selection bias, walk-forward."""
        return (await self.wait())._log.summary
