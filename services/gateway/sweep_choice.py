"""What choosing the best of a sweep is worth: how much of it is luck, and what came after the choices."""

import math

import numpy as np
from numpy.typing import NDArray

from backcast.gateway.v1 import sweep_pb2 as pb
from services.compute.engine.sweep.deflated_sharpe import ReturnShape, deflated_sharpe_ratio, expected_maximum
from services.gateway.statistics import summarize_rows
from services.gateway.sweep_messages import metrics_message
from services.gateway.sweep_plan import SweepPlan
from services.gateway.sweep_table import SweepTable
from services.shared.backtest_messages import strategy_to
from services.shared.metric_order import SMALLEST_IS_BEST
from services.shared.sweep_messages import window_to

_YEAR_S = 365 * 86_400


def luck_message(plan: SweepPlan, table: SweepTable, winner: ReturnShape | None) -> pb.Luck:
    """Return how much luck there is in the best of the train part; `winner` are its returns there."""
    ratios = table.in_window("sharpe_ratio", 0)
    ratios = ratios[~np.isnan(ratios)]
    luck = pb.Luck(trials=len(ratios))
    candles_a_year = _YEAR_S / plan.run.backtest.interval.seconds
    # The metric is per year, the formulas are per candle.
    variance = float(ratios.var(ddof=1)) / candles_a_year if len(ratios) > 1 else 0.0
    expected = expected_maximum(len(ratios), variance)
    if expected is not None:
        luck.expected_maximum_sharpe_ratio = expected * math.sqrt(candles_a_year)
        deflated = deflated_sharpe_ratio(winner, expected) if winner else None
        if deflated is not None:
            luck.deflated_sharpe_ratio = deflated
    return luck


def walk_forward_message(plan: SweepPlan, table: SweepTable) -> pb.WalkForward:
    """Return what came of choosing the best combination in each fold's train part."""
    message = pb.WalkForward()
    tests = []
    for number, fold in enumerate(plan.folds):
        assert fold.test is not None
        train, test = 2 * number, 2 * number + 1
        told = message.folds.add(train_window=window_to(fold.train), test_window=window_to(fold.test))
        combination = best_combination(
            table.in_window(plan.metric, train), smallest_is_best=plan.metric in SMALLEST_IS_BEST
        )
        if combination is not None:
            tests.append(table.medians_in_window(combination, test))
            told.combination = combination
            told.strategy.CopyFrom(strategy_to(plan.strategy(combination)))
            told.train.CopyFrom(metrics_message(table.medians_in_window(combination, train)))
            told.test.CopyFrom(metrics_message(tests[-1]))
    if tests:
        message.mean_test.CopyFrom(metrics_message(summarize_rows(np.array(tests).T).mean))
    return message


def best_combination(values: NDArray[np.float64], *, smallest_is_best: bool) -> int | None:
    """Return the combination of the best median over the cryptos, or None; of equal ones the first.

    `values` are a metric of shape (combinations, cryptos). Where it is defined on fewer than half of the
    cryptos on which it is for any combination, it says little: those combinations are passed over.
    """
    summarized = summarize_rows(values)
    cryptos = int((~np.isnan(values)).any(axis=0).sum())
    medians = np.where(2 * summarized.count >= cryptos, summarized.median, np.nan)
    if np.isnan(medians).all():
        return None
    return int(np.nanargmin(medians) if smallest_is_best else np.nanargmax(medians))
