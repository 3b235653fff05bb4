"""Curves out of sample: the chosen combination of each fold in its test window, stitched together."""

from contextlib import aclosing

import numpy as np

from backcast.backtest.v1.result_pb2 import EquityCurve
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast.gateway.v1.sweep_pb2 import OutOfSample
from backcast_engine.curves import equity_curve
from backcast_engine.sweep.out_of_sample import Curve, FoldResult, StitchedCrypto
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.sweeps.table_messages import metrics_message
from services.gateway.upstream.compute import ComputeClient
from services.wire.result_parts import joined_parts
from services.wire.results import unpacked_metrics


async def stitched_cryptos(
    plan: SweepPlan, compute: ComputeClient, chosen: list[int | None]
) -> list[StitchedCrypto]:
    """Return every crypto's curve, in the order of the plan; `chosen` are the folds' combinations.

    All points are in memory: 16 bytes each. Raises Unavailable where compute is away.
    """
    execution, interval = plan.run.backtest.execution, plan.run.backtest.interval
    stitched = [StitchedCrypto(execution.initial_capital, interval) for _ in plan.cryptos]
    by_symbol = {crypto.symbol: one for crypto, one in zip(plan.cryptos, stitched, strict=True)}
    for fold, combination in zip(plan.folds, chosen, strict=True):
        assert fold.test is not None
        without = dict(by_symbol)
        if combination is not None:
            backtest = plan.backtest(combination, fold.test)
            async with aclosing(compute.outcomes(backtest, plan.cryptos, plan.run.others)) as responses:
                async for response in responses:
                    for result in response.results:
                        without.pop(result.symbol).add(_fold_result(result))
        for one in without.values():
            one.hold(fold.test)
    return stitched


def _fold_result(result: ComputedResult) -> FoldResult:
    curve = joined_parts(result.parts).equity_curve
    return FoldResult(
        np.array(curve.open_time_s, np.int64),
        np.array(curve.equity),
        unpacked_metrics([result.metrics])[0],
    )


def out_of_sample_message(curve: Curve, capital: float, most_points: int, symbol: str = "") -> OutOfSample:
    """Return a curve in at most so many points (0: all); without a symbol, it is that of all cryptos."""
    thinned = equity_curve(curve.open_time_s, curve.equity, capital, most_points)
    return OutOfSample(
        symbol=symbol,
        metrics=metrics_message(curve.figures),
        equity_curve=EquityCurve(
            open_time_s=thinned.open_time_s, equity=thinned.equity, drawdown=thinned.drawdown
        ),
    )
