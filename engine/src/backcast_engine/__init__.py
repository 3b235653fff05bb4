"""The engine: vectorized backtests, arrays in, results out. A library without network, messages and storage.

`run_backtest` computes one backtest, `TradedWindow` many on one crypto. `rules` and `strategies` define the
signals, `execution` and `simulation` the fills, `parts` the breaks, and `metrics` the figures.

What is named here is imported when it is first used: candles, times and errors need no compiled code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backcast_engine.backtest import Backtest, backtest_series, run_backtest
    from backcast_engine.execution import (
        BreakRule,
        Direction,
        Distance,
        Execution,
        FillTime,
        VolatilityTarget,
    )
    from backcast_engine.needs import columns_of
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
    from backcast_engine.traded_window import TradedWindow, metrics_of
    from backcast_engine.version import ENGINE_VERSION

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

_MODULES = {
    "Backtest": "backtest",
    "TradedWindow": "traded_window",
    "backtest_series": "backtest",
    "columns_of": "needs",
    "metrics_of": "traded_window",
    "run_backtest": "backtest",
    "BreakRule": "execution",
    "Direction": "execution",
    "Distance": "execution",
    "Execution": "execution",
    "FillTime": "execution",
    "VolatilityTarget": "execution",
    "METRIC_NAMES": "results",
    "BacktestResult": "results",
    "Coverage": "results",
    "Detail": "results",
    "EquityCurve": "results",
    "ExitReason": "results",
    "Metrics": "results",
    "MonthlyReturn": "results",
    "ResultPart": "results",
    "Trade": "results",
    "Window": "results",
    "WindowSeries": "results",
    "STRATEGIES": "strategies",
    "Strategy": "strategies",
    "ENGINE_VERSION": "version",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'backcast_engine' has no attribute {name!r}")
    value = getattr(import_module(f"backcast_engine.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
