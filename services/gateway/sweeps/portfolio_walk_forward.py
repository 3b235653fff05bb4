"""The walk-forward of a sweep over portfolios: what each fold chooses, and the account out of sample."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.gateway.v1 import sweep_pb2 as pb
from backcast_engine import Detail
from backcast_engine.sweep.deflated_sharpe import shape_of
from backcast_engine.sweep.out_of_sample import FoldResult, StitchedCrypto
from services.gateway.planning.portfolio_sweep_plan import PortfolioSweepPlan
from services.gateway.runs.statistics import summarize_rows, trades_of
from services.gateway.sweeps.out_of_sample import out_of_sample_message
from services.gateway.sweeps.portfolio_table import PortfolioTable
from services.gateway.sweeps.selection_bias import best_of_fold, bias_of_best
from services.gateway.sweeps.table_messages import metrics_message
from services.gateway.upstream.compute import ComputeClient
from services.wire.sweeps import window_to


def chosen_combinations(
    plan: PortfolioSweepPlan, table: PortfolioTable, proposed: Sequence[Sequence[int]] | None = None
) -> list[int | None]:
    """Return the combination whose account is best in each fold's train part, None where there is none.

    A fold chooses from the combinations that its optimizer has `proposed`; None: from all.
    """
    return [
        best_of_fold(
            table.counted_in_window(plan.metric, 2 * fold)[:, None],
            trades_of(table.figures[:, 2 * fold], axis=1)[:, None],
            plan,
            None if proposed is None else proposed[fold],
        )
        for fold in range(len(plan.folds))
    ]


def folds_message(
    plan: PortfolioSweepPlan, table: PortfolioTable, chosen: list[int | None]
) -> pb.WalkForward:
    """Return the figures of the chosen combinations, fold by fold: in the train part and in the test."""
    message, tests = pb.WalkForward(), []
    for number, (fold, combination) in enumerate(zip(plan.folds, chosen, strict=True)):
        assert fold.test is not None
        row = message.folds.add(train_window=window_to(fold.train), test_window=window_to(fold.test))
        if combination is not None:
            train, test = table.figures[combination, 2 * number : 2 * number + 2]
            tests.append(test)
            row.combination = combination
            row.value_indexes.extend(plan.value_indexes(combination))
            row.train.CopyFrom(metrics_message(train))
            row.test.CopyFrom(metrics_message(test))
    if tests:
        message.mean_test.CopyFrom(metrics_message(summarize_rows(np.array(tests).T).mean))
    return message


async def add_out_of_sample(
    message: pb.WalkForward,
    plan: PortfolioSweepPlan,
    table: PortfolioTable,
    compute: ComputeClient,
    chosen: list[int | None],
) -> None:
    """Add the curve of the choices' accounts in the test windows, and its deflated Sharpe ratio.

    The curve has the candles of the longest interval. Where no account could be traded, the equity stays
    constant. Raises Unavailable where compute is away.
    """
    execution, interval = plan.run.backtest.execution, plan.run.backtest.interval
    account = StitchedCrypto(execution.initial_capital, interval)
    for number, (fold, combination) in enumerate(zip(plan.folds, chosen, strict=True)):
        assert fold.test is not None
        traded = None
        if combination is not None:
            traded = await _account(plan, compute, combination, 2 * number + 1)
        if traded is None:
            account.hold(fold.test)
        else:
            account.add(traded)
    curve = account.curve()
    message.out_of_sample.CopyFrom(out_of_sample_message(curve, execution.initial_capital, plan.curve_points))
    shape = shape_of(curve.equity, execution.initial_capital)
    bias = bias_of_best(table.sharpe_ratios, shape, interval)
    if bias.HasField("deflated_sharpe_ratio"):
        message.deflated_sharpe_ratio = bias.deflated_sharpe_ratio


async def _account(
    plan: PortfolioSweepPlan, compute: ComputeClient, combination: int, window: int
) -> FoldResult | None:
    """Return a combination's account in a window, with all points of its equity; None where it failed."""
    portfolio = replace(plan.portfolio(combination, window), detail=Detail.EQUITY, curve_points=0)
    async with aclosing(compute.portfolios([portfolio], plan.cryptos, plan.run.others)) as responses:
        async for response in responses:
            if response.HasField("result"):
                curve = PortfolioResult.FromString(b"".join(response.result.parts)).curve
                if curve.equity:
                    times, equity = np.array(curve.open_time_s, np.int64), np.array(curve.equity)
                    return FoldResult(times, equity, np.frombuffer(response.result.metrics, "<f8"))
    return None
