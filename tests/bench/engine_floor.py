"""The floor of a computed run: the engine alone, in this process, on candles in memory."""

import time

from backcast_engine import Backtest, Execution, Window, run_backtest
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.local.sample_market import HOURS, START_S
from tests.bench.runs import oversold
from tests.bench.timing import Timing

_WINDOW = Window(START_S, START_S + HOURS * Interval.HOUR_1.seconds)


def timed_engine(market: list[Candles], variant: int) -> Timing:
    """Backtest the whole market, one crypto after the other, on one core."""
    strategy, execution = Rsi(oversold=oversold(variant)), Execution()
    first_s = None
    began = time.perf_counter()
    for candles in market:
        run_backtest(History(candles), Backtest(strategy, Interval.HOUR_1, _WINDOW, execution))
        if first_s is None:
            first_s = time.perf_counter() - began
    return Timing(time.perf_counter() - began, first_s)
