"""An optimization of a sweep, round by round; in a walk-forward, every fold has an optimizer of its own."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
from numpy.typing import NDArray

from backcast_engine.sweep import sampled_positions
from services.domain.metric_order import SMALLEST_IS_BEST
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.sweeps.optimizer import Optimizer
from services.gateway.sweeps.portfolio_table import PortfolioTable
from services.gateway.sweeps.table import SweepTable

# Proposals that are computed together: many, to keep workers busy, and few, as none learns from the others.
_BATCH = 16


class Optimization:
    """Optimizers, one for each fold (of a window without folds: one), that propose in rounds.

    An optimizer learns from its own proposals in its own fold's train part alone. So it proposes what it
    would if there were no other fold, and no fold chooses by what later ones say. Combinations that several
    of them propose are backtested once.
    """

    def __init__(self, plan: SweepPlan | PortfolioSweepPlan) -> None:
        """Importing Optuna takes a second."""
        search, grid = plan.request.search, plan.request.grid
        assert search
        others = sampled_positions(grid, search.count, search.seed).tolist()
        smallest_is_best = plan.metric in SMALLEST_IS_BEST
        self._plan = plan
        self._optimizers = [
            Optimizer(grid, others, seed=search.seed, smallest_is_best=smallest_is_best) for _ in plan.folds
        ]
        self._wanted = search.count
        self._numbers: dict[int, int] = {}
        self.proposed: list[list[int]] = [[] for _ in plan.folds]
        """Of each fold, the numbers of the combinations that its optimizer has proposed, in its order."""

    @property
    def count(self) -> int:
        """How many combinations were proposed."""
        return len(self._numbers)

    @property
    def most(self) -> int:
        """How many there can be in the end."""
        missing = self._wanted - len(self.proposed[0])
        return min(self.count + missing * len(self._optimizers), len(self._plan.possible))

    async def rounds(self, table: SweepTable | PortfolioTable) -> AsyncGenerator[NDArray[np.int64]]:
        """Yield the positions of new combinations, ascending, which get the next numbers.

        Their figures must be in `table` before the next round: the optimizers learn from them.
        """
        for start in range(0, self._wanted, _BATCH):
            size = min(_BATCH, self._wanted - start)
            batches = [await asyncio.to_thread(optimizer.proposed, size) for optimizer in self._optimizers]
            positions = np.unique(np.concatenate(batches)).tolist()
            new = [position for position in positions if position not in self._numbers]
            self._numbers |= {position: self.count + index for index, position in enumerate(new)}
            for proposed, batch in zip(self.proposed, batches, strict=True):
                proposed += [self._numbers[position] for position in batch.tolist()]
            yield np.array(new, np.int64)
            await asyncio.to_thread(self._learn, table, size)

    def _learn(self, table: SweepTable | PortfolioTable, size: int) -> None:
        """Let every optimizer learn how its last `size` proposals did in the train part of its fold."""
        plan = self._plan
        windows = len(plan.folds[0].windows())
        for fold, (optimizer, proposed) in enumerate(zip(self._optimizers, self.proposed, strict=True)):
            optimizer.learn(table.scores(proposed[-size:], fold * windows, plan.metric, plan.min_trades))
