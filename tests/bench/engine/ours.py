"""Our side: the engine in this process, on candles in memory."""

import time

from backcast_engine import Backtest, BacktestResult, Execution, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from tests.bench.timing import Timing


def backtest(candles: Candles, strategy: Rsi, window: Window) -> BacktestResult:
    """Run one backtest, all metrics."""
    return run_backtest(History(candles), Backtest(strategy, Interval.HOUR_1, window, Execution()))


def timed_market(market: list[Candles], strategy: Rsi, window: Window) -> Timing:
    """Backtest all cryptos, one after the other, on one core."""
    began = time.perf_counter()
    for candles in market:
        backtest(candles, strategy, window)
    return Timing(time.perf_counter() - began)
