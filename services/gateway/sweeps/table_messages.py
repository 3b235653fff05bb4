"""Messages of a sweep's table: its figures, trials and rows."""

import math

import numpy as np

from backcast.backtest.v1.result_pb2 import Metrics
from backcast.gateway.v1 import sweep_pb2
from backcast_engine import METRIC_NAMES
from services.gateway.planning.sweep_plan import SweepPlan
from services.gateway.runs.statistics import Summarized
from services.gateway.sweeps.table import Figures, FoldWindow, SweepTable
from services.wire.backtests import strategy_to

# A row is below 2 kB: some hundred numbers.
ROWS_IN_MESSAGE = 500


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
        train=metrics_message(table.trial(combination, crypto, FoldWindow.TRAIN)),
        test=metrics_message(table.trial(combination, crypto, FoldWindow.TEST)) if plan.has_test else None,
        value_indexes=plan.value_indexes(combination),
    )


def rows_message(plan: SweepPlan, table: SweepTable, start: int, stop: int) -> sweep_pb2.SweepRows:
    """Return the table's rows of the combinations from `start` to before `stop`."""
    metric = METRIC_NAMES.index(plan.metric)
    train = table.across_cryptos(start, stop, FoldWindow.TRAIN)
    test = table.across_cryptos(start, stop, FoldWindow.TEST) if plan.has_test else None
    traded = table.cryptos_traded(start, stop, FoldWindow.TRAIN)
    traded_test = (
        table.cryptos_traded(start, stop, FoldWindow.TEST) if plan.has_test else np.zeros_like(traded)
    )
    median_trades = table.median_trades(start, stop).tolist()
    return sweep_pb2.SweepRows(
        rows=[
            sweep_pb2.SweepRow(
                combination=start + row,
                # A million rules with their numbers would be most of what is sent.
                strategy=None if plan.has_placeholders else strategy_to(plan.strategy(start + row)),
                value_indexes=plan.value_indexes(start + row),
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
