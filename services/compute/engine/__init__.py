"""Vectorized backtests: arrays in, results out. A library of its own: no wire, no storage.

`run_backtest` is the whole of it; what a backtest means is written in `simulation` (fills),
`metrics` (figures) and `strategies` (signals).
"""

from services.compute.engine.backtest import columns_of, run_backtest
from services.compute.engine.results import (
    BacktestResult,
    Coverage,
    Detail,
    EquityCurve,
    Execution,
    Metrics,
    Trade,
    Window,
)
from services.compute.engine.strategies import STRATEGIES, Strategy

# Part of every cached result's key: raise it whenever any number that a backtest gives can change.
ENGINE_VERSION = "1"

__all__ = [
    "ENGINE_VERSION",
    "STRATEGIES",
    "BacktestResult",
    "Coverage",
    "Detail",
    "EquityCurve",
    "Execution",
    "Metrics",
    "Strategy",
    "Trade",
    "Window",
    "columns_of",
    "run_backtest",
]
