"""The floor of the engine: RSI, position, equity, Sharpe ratio and drawdown in one loop, and nothing else.

No other metric, no trades, no checks, no care for rounding: it is here to be fast, and to be compared with.
"""

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from backcast_engine import Execution
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from tests.bench.timing import Timing

_HOURS_PER_YEAR = 365 * 24.0
_EXECUTION = Execution()


def bare_figures(candles: Candles, grid: Sequence[Rsi]) -> NDArray[np.float64]:
    """Return total return, Sharpe ratio and drawdown of each of k combinations, float64 of shape (k, 3)."""
    parameters = np.array([(each.period, each.oversold, each.overbought) for each in grid], np.float64)
    figures: NDArray[np.float64] = _backtests(
        candles.open, candles.close, parameters, _EXECUTION.fee_rate, _EXECUTION.initial_capital
    )
    return figures


def timed_bare(market: list[Candles], grid: Sequence[Rsi], cores: int) -> Timing:
    """Backtest all combinations on all cryptos, in as many threads as `cores`: the loop needs no GIL."""

    def backtest(part: list[Candles]) -> None:
        for candles in part:
            bare_figures(candles, grid)

    with ThreadPoolExecutor(cores) as threads:
        began = time.perf_counter()
        list(threads.map(backtest, [market[first::cores] for first in range(cores)]))
        return Timing(time.perf_counter() - began)


@njit(nogil=True, cache=True, error_model="numpy")
def _backtests(open_, close, parameters, fee, capital):  # type: ignore[no-untyped-def]  # compiled
    figures = np.empty((len(parameters), 3))
    for i in range(len(parameters)):
        period, oversold, overbought = parameters[i]
        figures[i] = _backtest(open_, close, int(period), oversold, overbought, fee, capital)
    return figures


@njit(nogil=True, cache=True, error_model="numpy")
def _backtest(open_, close, period, oversold, overbought, fee, capital):  # type: ignore[no-untyped-def]
    n = len(close)
    gain, loss, weight = 0.0, 0.0, 1.0 / period
    for t in range(1, period + 1):
        gain += weight * max(close[t] - close[t - 1], 0.0)
        loss += weight * max(close[t - 1] - close[t], 0.0)
    cash, units, equity, peak, drawdown = capital, 0.0, capital, capital, 0.0
    total, squares = 0.0, 0.0
    long, want_buy, want_sell = False, False, False
    for t in range(n):
        if want_buy:
            units, cash, long = cash / (open_[t] * (1 + fee)), 0.0, True
        elif want_sell:
            cash, units, long = units * open_[t] * (1 - fee), 0.0, False
        before, equity = equity, cash + units * close[t]
        change = equity / before - 1
        total += change
        squares += change * change
        peak = max(peak, equity)
        drawdown = max(drawdown, 1 - equity / peak)
        want_buy, want_sell = False, False
        if t >= period:
            if t > period:
                move = close[t] - close[t - 1]
                gain += weight * (max(move, 0.0) - gain)
                loss += weight * (max(-move, 0.0) - loss)
            movement = gain + loss
            rsi = 100 * gain / movement if movement > 0 else 50.0
            want_buy, want_sell = not long and rsi < oversold, long and rsi > overbought
    mean = total / n
    std = math.sqrt(max(squares - n * mean * mean, 0.0) / (n - 1))
    return equity / capital - 1, mean / std * math.sqrt(_HOURS_PER_YEAR), drawdown
