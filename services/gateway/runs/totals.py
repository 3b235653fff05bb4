"""The totals of a run: mean, median, spread, best and worst of its results."""

import numpy as np

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1.run_events_pb2 import RunSummary, Spread
from backcast_engine.results import METRIC_NAMES
from services.gateway.runs.statistics import (
    finite_or_none,
    no_trade_counted,
    quantiles_of_rows,
    summarize_rows,
    trades_of,
)
from services.wire.results import unpacked_metrics

_TOTAL_RETURN = METRIC_NAMES.index("total_return")
_HOLDING = METRIC_NAMES.index("buy_and_hold_return")
_FRACTIONS = (0.05, 0.25, 0.5, 0.75, 0.95)


class RunTotals:
    """Collects the metrics of results."""

    def __init__(self) -> None:
        self._symbols: list[str] = []
        self._metrics: list[bytes] = []
        self._with_breaks = 0

    def add(self, result: ComputedResult) -> None:
        """Add a result."""
        self._symbols.append(result.symbol)
        self._metrics.append(result.metrics)
        self._with_breaks += result.has_breaks

    def fill(self, summary: RunSummary) -> None:
        """Fill in the totals of a summary, where there are results."""
        if not self._metrics:
            return
        # In the order of symbols, not of arrival: sums are rounded, and ties have one winner.
        by_symbol = sorted(range(len(self._symbols)), key=self._symbols.__getitem__)
        symbols = [self._symbols[index] for index in by_symbol]
        values = unpacked_metrics(self._metrics)[by_symbol]
        summary.cryptos_without_trades = int((trades_of(values, axis=1) == 0).sum())
        summary.cryptos_with_breaks = self._with_breaks
        counted = no_trade_counted(values, axis=1)
        if len(symbols) == 1:
            # The totals of one crypto are its figures: computing them would cost a tenth of a cached result.
            mean = median = _message(counted[0])
            quantiles = [median] * len(_FRACTIONS)
        else:
            summarized = summarize_rows(counted.T)
            mean, median = _message(summarized.mean), _message(summarized.median)
            quantiles = [_message(row) for row in quantiles_of_rows(counted.T, _FRACTIONS)]
        summary.mean.CopyFrom(mean)
        summary.median.CopyFrom(median)
        for fraction, quantile in zip(_FRACTIONS, quantiles, strict=True):
            getattr(summary.spread, f"quantile_{100 * fraction:02.0f}").CopyFrom(quantile)
        _fill_shares(summary.spread, values[:, _TOTAL_RETURN], values[:, _HOLDING])
        returns = values[:, _TOTAL_RETURN]
        # A return is undefined where prices are so extreme that it overflows.
        if not np.isnan(returns).all():
            for ranked, index in (
                (summary.best, np.nanargmax(returns)),
                (summary.worst, np.nanargmin(returns)),
            ):
                ranked.symbol = symbols[index]
                ranked.total_return = returns[index]


def _fill_shares(spread: Spread, returns: np.ndarray, holding: np.ndarray) -> None:
    there = ~np.isnan(returns)
    if there.any():
        spread.share_gained = float((returns[there] > 0).mean())
    there &= ~np.isnan(holding)
    if there.any():
        spread.share_beat_holding = float((returns > holding)[there].mean())


def _message(figures: np.ndarray) -> Metrics:
    return Metrics(**dict(zip(METRIC_NAMES, finite_or_none(figures), strict=True)))
