"""Selection bias of a sweep: deflated Sharpe ratios, results out of sample, probability of overfitting."""

import asyncio
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backcast.gateway.v1 import sweep_pb2 as pb
from backcast_engine.interval import Interval
from backcast_engine.sweep.deflated_sharpe import ReturnShape, deflated_sharpe_ratio, expected_maximum
from backcast_engine.sweep.overfitting import count_overfitted, steps
from services.domain.metric_order import SMALLEST_IS_BEST
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.runs.statistics import summarize_rows
from services.gateway.sweeps.table import FoldWindow, SweepTable
from services.gateway.sweeps.table_messages import metrics_message
from services.wire.backtests import strategy_to
from services.wire.sweeps import window_to

_YEAR_S = 365 * 86_400
# Among fewer combinations, the rank of the best has little meaning.
_FEWEST_COMBINATIONS = 10


def selection_bias_message(
    plan: SweepPlan, table: SweepTable, winner: ReturnShape | None, trial: int | None
) -> pb.SelectionBias:
    """Return the selection bias of the best `trial` of the train part; `winner` are its returns there."""
    ratios = table.counted_in_window("sharpe_ratio", 0)
    interval = plan.run.backtest.interval
    if trial is not None:
        interval = plan.backtest(trial // len(plan.cryptos), plan.folds[0].train).interval
    return bias_of_best(ratios[~np.isnan(ratios)], winner, interval)


def bias_of_best(
    ratios: NDArray[np.float64], winner: ReturnShape | None, interval: Interval
) -> pb.SelectionBias:
    """Return the selection bias of the best of trials with these Sharpe ratios per year, shape (trials,).

    `winner` are the returns of the best at candles of length `interval`; None where they are not known.
    """
    bias = pb.SelectionBias(trial_count=len(ratios))
    expected = _expected_maximum(ratios)
    if expected is not None:
        bias.expected_maximum_sharpe_ratio = expected
        deflated = None
        if winner:
            deflated = deflated_sharpe_ratio(winner, expected / _root_of_candles(interval))
        if deflated is not None:
            bias.deflated_sharpe_ratio = deflated
    return bias


def _expected_maximum(ratios: NDArray[np.float64]) -> float | None:
    """Return the expected Sharpe ratio (per year) of the best of so many trials without any skill."""
    return expected_maximum(len(ratios), float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0)


def _root_of_candles(interval: Interval) -> float:
    """Return by what Sharpe ratios per year are divided for those per candle, of which the formulas are."""
    return math.sqrt(_YEAR_S / interval.seconds)


def chosen_combinations(
    plan: SweepPlan, table: SweepTable, proposed: Sequence[Sequence[int]] | None = None
) -> list[int | None]:
    """Return the combination that is best in each fold's train part, None where there is none.

    A fold chooses from the combinations that its optimizer has `proposed`; None: from all.
    """
    return [
        best_of_fold(
            table.counted_in_window(plan.metric, 2 * fold),
            table.trades_in_window(2 * fold),
            plan,
            None if proposed is None else proposed[fold],
        )
        for fold in range(len(plan.folds))
    ]


def best_of_fold(
    values: NDArray[np.float64],
    trades: NDArray[np.float64],
    plan: SweepPlan | PortfolioSweepPlan,
    proposed: Sequence[int] | None,
) -> int | None:
    """Return the best combination of a fold's train part, as `best_combination` does, or None.

    `proposed` are the combinations that it chooses from, in the order of their proposal; None: from all.
    """
    among = slice(None) if proposed is None else list(proposed)
    best = best_combination(
        values[among],
        trades[among],
        min_trades=plan.min_trades,
        smallest_is_best=plan.metric in SMALLEST_IS_BEST,
    )
    return best if best is None or proposed is None else proposed[best]


def walk_forward_message(plan: SweepPlan, table: SweepTable, chosen: list[int | None]) -> pb.WalkForward:
    """Return the figures of the chosen combinations, fold by fold: in the train part and in the test."""
    message = pb.WalkForward()
    tests = []
    for number, (fold, combination) in enumerate(zip(plan.folds, chosen, strict=True)):
        assert fold.test is not None
        train, test = 2 * number, 2 * number + 1
        row = message.folds.add(train_window=window_to(fold.train), test_window=window_to(fold.test))
        if combination is not None:
            tests.append(table.medians_in_window(combination, test))
            row.combination = combination
            row.strategy.CopyFrom(strategy_to(plan.strategy(combination)))
            row.value_indexes.extend(plan.value_indexes(combination))
            row.train.CopyFrom(metrics_message(table.medians_in_window(combination, train)))
            row.test.CopyFrom(metrics_message(tests[-1]))
    if tests:
        message.mean_test.CopyFrom(metrics_message(summarize_rows(np.array(tests).T).mean))
    return message


def best_combination(
    values: NDArray[np.float64], trades: NDArray[np.float64], *, min_trades: int, smallest_is_best: bool
) -> int | None:
    """Return the combination of the best median over the cryptos, or None; of equal ones the first.

    `values` are a metric and `trades` the number of trades, of shape (combinations, cryptos). Combinations
    with a median of fewer than `min_trades` are passed over. So are combinations whose metric is defined on
    fewer than half of the cryptos on which it is defined for any combination.
    """
    summarized = summarize_rows(values)
    cryptos = int((~np.isnan(values)).any(axis=0).sum())
    says_enough = 2 * summarized.count >= cryptos
    # An undefined median counts as too few trades.
    says_enough &= summarize_rows(trades).median >= min_trades
    medians = np.where(says_enough, summarized.median, np.nan)
    if np.isnan(medians).all():
        return None
    return int(np.nanargmin(medians) if smallest_is_best else np.nanargmax(medians))


def deflated_out_of_sample(plan: SweepPlan, table: SweepTable, shape: ReturnShape | None) -> float | None:
    """Return the deflated Sharpe ratio of returns out of sample, by the combinations chosen among.

    D. H. Bailey and M. López de Prado, The Deflated Sharpe Ratio, 2014. The trials are the combinations, and
    their Sharpe ratios the means over the cryptos, and before over the folds, of those in the train parts.
    """
    ratios = table.means_across_cryptos("sharpe_ratio", FoldWindow.TRAIN)
    expected = _expected_maximum(ratios[~np.isnan(ratios)])
    if shape is None or expected is None:
        return None
    return deflated_sharpe_ratio(shape, expected / _root_of_candles(plan.run.backtest.interval))


async def overfitting_message(plan: SweepPlan, table: SweepTable) -> pb.Overfitting | None:
    """Return the probability that the choice of the best is overfitted; None where the data is too little.

    It is computed in threads, step by step: cancelling it waits for one step.
    """
    returns = await asyncio.to_thread(_block_returns, plan, table)
    combinations, blocks = returns.shape
    if combinations < _FEWEST_COMBINATIONS or not blocks:
        return None
    overfitted = 0
    for choices in steps(combinations, blocks):
        overfitted += await asyncio.to_thread(count_overfitted, returns, choices)
    splits = math.comb(blocks, blocks // 2)
    return pb.Overfitting(
        probability=overfitted / splits,
        combination_count=combinations,
        block_count=blocks,
        split_count=splits,
    )


def _block_returns(plan: SweepPlan, table: SweepTable) -> NDArray[np.float64]:
    returns = plan.blocks.joined(table.mean_block_returns())
    return returns[np.isfinite(returns).all(axis=1)]
