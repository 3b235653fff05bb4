"""The table of a sweep over portfolios: the metrics of each combination's account, and its messages."""

from collections.abc import Sequence

import numpy as np
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast_engine import METRIC_NAMES
from services.domain.metric_order import SMALLEST_IS_BEST
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.runs.statistics import no_trade_counted, trades_of
from services.gateway.sweeps.table import FoldWindow, Ranking
from services.gateway.sweeps.table_messages import metrics_message

_SHARPE_RATIO = METRIC_NAMES.index("sharpe_ratio")


class PortfolioTable:
    """Metrics of combinations in the parts of the window, NaN where undefined or missing; and the ranking."""

    def __init__(self, plan: PortfolioSweepPlan) -> None:
        self.figures = np.full((len(plan.possible), len(plan.windows), len(METRIC_NAMES)), np.nan)
        """Float64 of shape (combinations, windows, metrics)."""
        self.failures: dict[int, Status] = {}
        """Why combinations failed: of each the first failure, that of train before that of test."""
        self._parts = len(plan.folds[0].windows())
        self._metric, self._min_trades = plan.metric, plan.min_trades
        self._ranking = Ranking(plan.best_count, smallest_is_best=plan.metric in SMALLEST_IS_BEST)

    def put(self, combination: int, window: int, metrics: NDArray[np.float64]) -> bool:
        """Keep the metrics of a portfolio; return whether the ranking has changed."""
        self.figures[combination, window] = metrics
        if window % self._parts != FoldWindow.TRAIN:
            return False
        # With folds, a combination has a score when the last of its train parts is there.
        windows = range(FoldWindow.TRAIN, self.figures.shape[1], self._parts)
        scores = [self.scores([combination], one, self._metric, self._min_trades) for one in windows]
        return self._ranking.add(np.mean(scores, axis=0), np.array([combination]))

    def scores(
        self, combinations: Sequence[int], window: int, metric: str, min_trades: int
    ) -> NDArray[np.float64]:
        """Return a metric of combinations in one window, shape (combinations,).

        NaN where fewer than `min_trades` trades give a combination no rank.
        """
        figures = self.figures[list(combinations), window]
        # Without a trade, it counts as among many.
        values = no_trade_counted(figures, axis=1)[:, METRIC_NAMES.index(metric)]
        return np.where(trades_of(figures, axis=1) >= min_trades, values, np.nan)

    def over_folds(self, combination: int, part: FoldWindow) -> NDArray[np.float64]:
        """Return the metrics of a combination, means over the folds; undefined where they are in any fold."""
        means: NDArray[np.float64] = self.figures[combination, part :: self._parts].mean(axis=0)
        return means

    def counted_in_window(self, metric: str, window: int) -> NDArray[np.float64]:
        """Return a metric of all combinations in one window as it counts among many: (combinations,)."""
        return no_trade_counted(self.figures[:, window], axis=1)[:, METRIC_NAMES.index(metric)]

    def fail(self, combination: int, window: int, failure: Status) -> None:
        """Note why a portfolio has no metrics."""
        if window % self._parts == FoldWindow.TRAIN or combination not in self.failures:
            self.failures[combination] = failure

    @property
    def best(self) -> list[int]:
        """The best combinations, by rank."""
        return [int(trial) for trial in self._ranking.trials]

    @property
    def sharpe_ratios(self) -> NDArray[np.float64]:
        """The Sharpe ratios in train of all combinations that have one: trials without a trade have 0.

        With folds, they are means over the folds.
        """
        train = self.figures[:, FoldWindow.TRAIN :: self._parts]
        ratios: NDArray[np.float64] = no_trade_counted(train, axis=2)[:, :, _SHARPE_RATIO].mean(axis=1)
        return ratios[~np.isnan(ratios)]


def portfolio_rows(
    plan: PortfolioSweepPlan, table: PortfolioTable, combinations: Sequence[int]
) -> pb.PortfolioSweepRows:
    """Return rows of the table of a sweep over portfolios."""
    return pb.PortfolioSweepRows(rows=[_row(plan, table, combination) for combination in combinations])


def _row(plan: PortfolioSweepPlan, table: PortfolioTable, combination: int) -> pb.PortfolioSweepRow:
    row = pb.PortfolioSweepRow(
        combination=combination,
        value_indexes=plan.value_indexes(combination),
        failure=table.failures.get(combination),
    )
    for part in FoldWindow:
        # Without a test part, there are no figures of it.
        if part < len(plan.folds[0].windows()):
            figures = table.over_folds(combination, part)
            if not np.isnan(figures).all():
                (row.train, row.test)[part].CopyFrom(metrics_message(figures))
    return row
