"""The floor of a computed run: the engine alone, in this process, on candles in memory."""

import time

from services.domain.candles import Candles
from services.domain.history import History
from services.domain.interval import Interval
from services.engine import Backtest, Execution, Window, run_backtest
from services.engine.strategies.rsi import Rsi
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
