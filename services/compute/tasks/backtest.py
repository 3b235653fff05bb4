"""A backtest as a task on candles."""

from dataclasses import dataclass

from services.domain.history import History
from services.domain.interval import Interval
from services.engine import BacktestResult, Detail, Execution, Strategy, Window, run_backtest


@dataclass(frozen=True)
class Backtest:
    """One strategy in one window: what a backtest is besides the crypto."""

    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail
    curve_points: int = 0


def backtest(history: History, asked: Backtest) -> BacktestResult:
    """Run one backtest; it raises what `run_backtest` does."""
    return run_backtest(
        history,
        asked.strategy,
        asked.interval,
        asked.window,
        asked.execution,
        asked.detail,
        asked.curve_points,
    )
