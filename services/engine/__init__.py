"""Vectorized backtests: arrays in, results out. A library of its own: no wire, no storage.

`run_backtest` does one, `TradedWindow` many of one crypto. What a backtest means is written in `rules` and
`strategies` (signals), `execution` and `simulation` (fills), `parts` (breaks), and `metrics` (figures).
"""

from services.engine.backtest import Backtest, TradedWindow, columns_of, metrics_of, run_backtest
from services.engine.execution import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    VolatilityTarget,
)
from services.engine.results import (
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
)
from services.engine.strategies import STRATEGIES, Strategy

# Part of every cached result's key: raise it whenever any number that a backtest gives can change.
ENGINE_VERSION = "3"

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
    "columns_of",
    "metrics_of",
    "run_backtest",
]
