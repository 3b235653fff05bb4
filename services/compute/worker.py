"""What runs in the worker processes: one backtest per task. Nothing here may import grpc."""

import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

from services.compute.column_files import read_columns
from services.compute.engine import BacktestResult, Detail, Execution, Strategy, Window, run_backtest
from services.shared.interval import Interval


@dataclass(frozen=True, slots=True)
class BacktestTask:
    """One backtest; the candles are named, not carried: the worker maps their file."""

    columns: Path
    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail


def run_task(task: BacktestTask) -> BacktestResult:
    """Run one backtest. Raises FileNotFoundError where the columns were deleted, NotFound without candles."""
    candles = read_columns(task.columns)
    return run_backtest(candles, task.strategy, task.interval, task.window, task.execution, task.detail)


def prepare() -> None:
    """Make the process a worker: Ctrl-C is the service's business, and no worker outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End the process when the service has died, even by SIGKILL: nobody would ever stop it."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
