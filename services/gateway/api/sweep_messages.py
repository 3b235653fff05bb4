"""Converts requests for sweeps to domain types, and their outcomes to messages."""

import math

import numpy as np

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from services.domain.errors import Violations
from services.engine import METRIC_NAMES
from services.engine.sweep import Grid, make_grid
from services.gateway.api.messages import UNREAD_STRATEGY, left_out_to, read_run_request, run_request_to
from services.gateway.planning.sweep_plan import SweepPlan, SweepRequest
from services.gateway.runs.statistics import Summarized
from services.gateway.sweeps.table import Figures, Part, SweepTable
from services.wire.backtests import metric_from, metric_to, strategy_to
from services.wire.sweeps import ranges_to, read_ranges

# A row is below 2 kB: some hundred numbers.
ROWS_IN_MESSAGE = 500


def sweep_request_from(request: pb.SweepBacktestsRequest) -> SweepRequest:
    """Return what a client asks for; raise InvalidInput, naming every bad field, for what makes no sense."""
    violations = Violations()
    run = read_run_request(request, violations)
    ranges = read_ranges(request.ranges, request.spec.strategy, violations)
    grid = Grid(run.strategy, (), ())
    # Which ranges there can be depends on the strategy; there must be one in any case.
    if run.strategy is not UNREAD_STRATEGY or not ranges:
        grid = violations.read(grid, make_grid, run.strategy, ranges)
    asked = SweepRequest(
        run=run,
        grid=grid,
        split=request.split if request.HasField("split") else None,
        fold_count=request.fold_count if request.HasField("fold_count") else None,
        metric=violations.read("", metric_from, request.metric),
        best_trial_count=request.best_trial_count,
        min_trades=request.min_trades if request.HasField("min_trades") else None,
        curve_points=request.curve_points if request.HasField("curve_points") else None,
    )
    violations.raise_if_any(asked.violations)
    return asked


def sweep_started(plan: SweepPlan, run_id: str) -> pb.SweepStarted:
    """Return the sweep as it was understood, every default filled in."""
    asked = plan.request
    run = run_request_to(plan.run, run_id)
    request = pb.SweepBacktestsRequest(
        symbols=run.symbols,
        spec=run.spec,
        ranges=ranges_to(asked.grid),
        cache_mode=run.cache_mode,
        metric=metric_to(plan.metric),
        best_trial_count=plan.best_trial_count,
        min_trades=plan.min_trades,
        run_id=run.run_id,
    )
    if asked.split is not None:
        request.split = asked.split
    if asked.fold_count is not None:
        request.fold_count = asked.fold_count
        # Without folds there are no curves.
        request.curve_points = plan.curve_points
    # The run's is one of the combinations.
    request.spec.strategy.CopyFrom(strategy_to(asked.grid.base))
    return pb.SweepStarted(
        request=request,
        combination_count=len(plan.possible),
        skipped_combination_count=asked.grid.size - len(plan.possible),
        trial_count=plan.trials,
        backtest_count=plan.backtests,
        run_id=run_id,
        left_out=left_out_to(plan.run),
        cryptos_with_later_candles=plan.run.with_later_candles,
    )


def metrics_message(figures: Figures) -> Metrics:
    """Return figures in the order of METRIC_NAMES; what is not finite is undefined, and absent."""
    values = figures.tolist()
    return Metrics(
        **{name: value for name, value in zip(METRIC_NAMES, values, strict=True) if math.isfinite(value)}
    )


def trial_message(plan: SweepPlan, table: SweepTable, trial: int) -> sweep_pb2.SweepTrial:
    """Return a trial: combination × cryptos + crypto."""
    combination, crypto = divmod(trial, len(plan.cryptos))
    return sweep_pb2.SweepTrial(
        symbol=plan.cryptos[crypto].symbol,
        combination=combination,
        strategy=strategy_to(plan.strategy(combination)),
        train=metrics_message(table.trial(combination, crypto, Part.TRAIN)),
        test=metrics_message(table.trial(combination, crypto, Part.TEST)) if plan.has_test else None,
    )


def rows_message(plan: SweepPlan, table: SweepTable, start: int, stop: int) -> sweep_pb2.SweepRows:
    """Return the table's rows of the combinations from `start` to before `stop`."""
    metric = METRIC_NAMES.index(plan.metric)
    train = table.across_cryptos(start, stop, Part.TRAIN)
    test = table.across_cryptos(start, stop, Part.TEST) if plan.has_test else None
    traded = table.cryptos_traded(start, stop, Part.TRAIN)
    traded_test = table.cryptos_traded(start, stop, Part.TEST) if plan.has_test else np.zeros_like(traded)
    median_trades = table.median_trades(start, stop).tolist()
    return sweep_pb2.SweepRows(
        rows=[
            sweep_pb2.SweepRow(
                combination=start + row,
                strategy=strategy_to(plan.strategy(start + row)),
                crypto_count=int(train.count[row, metric]),
                train=_across_message(train, row),
                test=_across_message(test, row) if test else None,
                cryptos_traded=int(traded[row]),
                cryptos_traded_test=int(traded_test[row]),
                median_trades=median_trades[row] if math.isfinite(median_trades[row]) else None,
            )
            for row in range(stop - start)
        ]
    )


def _across_message(across: Summarized, row: int) -> sweep_pb2.AcrossCryptos:
    return sweep_pb2.AcrossCryptos(
        median=metrics_message(across.median[row]), mean=metrics_message(across.mean[row])
    )
