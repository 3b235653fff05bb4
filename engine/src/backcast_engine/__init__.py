"""The engine: vectorized backtests, arrays in, results out. A library without network, messages and storage.

`run_backtest` computes one backtest, `TradedWindow` many on one crypto. `rules` and `strategies` define the
signals, `execution` and `simulation` the fills, `parts` the breaks, and `metrics` the figures.
"""

from backcast_engine.backtest import (
    Backtest,
    TradedWindow,
    backtest_series,
    columns_of,
    metrics_of,
    run_backtest,
)
from backcast_engine.execution import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
)
from backcast_engine.results import (
    METRIC_NAMES,
    BacktestResult,
    Coverage,
    Detail,
    EquityCurve,
    ExitReason,
    Metrics,
    MonthlyReturn,
    ResultPart,
    Trade,
    Window,
    WindowSeries,
)
from backcast_engine.strategies import STRATEGIES, Strategy

# Part of the key of every cached result: raise it whenever any number of a result can change.
ENGINE_VERSION = "4"

__all__ = [
    "ENGINE_VERSION",
    "METRIC_NAMES",
    "STRATEGIES",
    "Backtest",
    "BacktestResult",
    "BreakRule",
    "Coverage",
    "Detail",
    "Direction",
    "Distance",
    "EquityCurve",
    "Execution",
    "ExitReason",
    "FillTime",
    "Metrics",
    "MonthlyReturn",
    "ResultPart",
    "Strategy",
    "Trade",
    "TradedWindow",
    "VolatilityTarget",
    "Window",
    "WindowSeries",
    "backtest_series",
    "columns_of",
    "metrics_of",
    "run_backtest",
]
