"""All results of a run together: what its summary is made of."""

import numpy as np

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics
from backcast.gateway.v1.run_events_pb2 import RunSummary
from services.compute.engine.results import METRIC_NAMES
from services.gateway.statistics import mean_and_median

_TOTAL_RETURN = METRIC_NAMES.index("total_return")


class RunTotals:
    """Collects the metrics of results."""

    def __init__(self) -> None:
        self._symbols: list[str] = []
        self._metrics: list[list[float]] = []

    def add(self, result: BacktestResult) -> None:
        """Take a result in."""
        self._symbols.append(result.symbol)
        metrics = result.metrics
        self._metrics.append(
            [getattr(metrics, name) if metrics.HasField(name) else np.nan for name in METRIC_NAMES]  # type: ignore[arg-type]  # names of its fields
        )

    def fill(self, summary: RunSummary) -> None:
        """Set the means and medians of a summary, and its best and worst crypto, where there are any."""
        if not self._metrics:
            return
        # In the order of symbols, not of arrival: sums round, and of equals one is the best.
        by_symbol = sorted(range(len(self._symbols)), key=self._symbols.__getitem__)
        symbols = [self._symbols[index] for index in by_symbol]
        values = np.array([self._metrics[index] for index in by_symbol])
        for target, numbers in zip((summary.mean, summary.median), mean_and_median(values), strict=True):
            target.CopyFrom(Metrics(**dict(zip(METRIC_NAMES, numbers, strict=True))))
        returns = values[:, _TOTAL_RETURN]
        # Undefined where prices are so extreme that it overflows.
        if not np.isnan(returns).all():
            for ranked, index in (
                (summary.best, np.nanargmax(returns)),
                (summary.worst, np.nanargmin(returns)),
            ):
                ranked.symbol = symbols[index]
                ranked.total_return = returns[index]
