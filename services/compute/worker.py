"""What runs in the worker processes: one backtest per task. Nothing here may import grpc."""

import pickle
import signal
import traceback
from contextlib import suppress
from dataclasses import dataclass
from socket import socket

from services.compute.engine import BacktestResult, Detail, Execution, Strategy, Window, run_backtest
from services.compute.stored_candles import StoredCandles
from services.shared.interval import Interval

# What a worker says first: it has imported and compiled everything.
READY = b"ready"
# An answer is its length as so many bytes, little-endian, and a pickle; a task is a pickle alone.
LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class BacktestTask:
    """One backtest; the candles are named, not carried: the worker maps their files."""

    candles: StoredCandles
    strategy: Strategy
    interval: Interval
    window: Window
    execution: Execution
    detail: Detail


def work(service: socket) -> None:
    """Answer one task after the other until the service closes the connection, or dies."""
    # Ctrl-C is the service's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, ConnectionError), service, service.makefile("rwb") as stream:
        stream.write(READY)
        stream.flush()
        while True:
            answer = pickle.dumps(_answer(pickle.load(stream)))
            stream.write(len(answer).to_bytes(LENGTH_BYTES, "little"))
            stream.write(answer)
            stream.flush()


def _answer(task: BacktestTask) -> BacktestResult | Exception:
    try:
        return run_task(task)
    except Exception as error:
        # A pickled error has lost its traceback, which the service's log needs.
        error.add_note(traceback.format_exc())
        return error


def run_task(task: BacktestTask) -> BacktestResult:
    """Run one backtest. Raises FileNotFoundError where the columns were deleted, NotFound without candles."""
    candles = task.candles.map()
    return run_backtest(candles, task.strategy, task.interval, task.window, task.execution, task.detail)
