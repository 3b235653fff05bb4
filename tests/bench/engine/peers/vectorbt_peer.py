"""vectorbt, as fast as it can be used: https://vectorbt.dev.

The RSI comes from TA-Lib, as vectorbt's own is not Wilder's, once per crypto and period. Some 50 columns at
a time stay in the processor's cache: everything at once takes three times as long, and gigabytes. There are
three metrics of the many that the engine computes, all of returns that are computed once.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby

import numpy as np
import talib
import vectorbt
from numpy.typing import NDArray

from backcast_engine import Execution
from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.strategies.rsi import Rsi
from tests.bench.engine.figures import Figures
from tests.bench.timing import Timing

NAME = f"vectorbt {version('vectorbt')}"

_COLUMNS_AT_ONCE = 50
_EXECUTION = Execution()

# One backtest of a chunk: the candles, the RSI, and the strategy whose levels it is compared with.
_Backtest = tuple[Candles, PriceColumn, Rsi]


def figures(candles: Candles, grid: Sequence[Rsi]) -> list[Figures]:
    """Return the figures of each combination on one crypto."""
    found = []
    for chunk in _chunks([candles], grid):
        portfolio = _portfolio(chunk)
        trades = np.asarray(portfolio.trades.closed.count())
        found += [Figures(int(count), *each) for count, each in zip(trades, _metrics(portfolio), strict=True)]
    return found


def timed(market: list[Candles], grid: Sequence[Rsi]) -> Timing:
    """Backtest all combinations on all cryptos, in one process, as vectorbt does."""
    began = time.perf_counter()
    for chunk in _chunks(market, grid):
        _metrics(_portfolio(chunk))
    took_s = time.perf_counter() - began
    # Its portfolios are cycles. Collecting them in between would make it slower.
    gc.collect()
    return Timing(took_s)


def _chunks(market: list[Candles], grid: Sequence[Rsi]) -> Iterator[list[_Backtest]]:
    chunk: list[_Backtest] = []
    for candles in market:
        for period, combinations in groupby(grid, lambda each: each.period):
            rsi = talib.RSI(candles.close, period)
            for strategy in combinations:
                chunk.append((candles, rsi, strategy))
                if len(chunk) == _COLUMNS_AT_ONCE:
                    yield chunk
                    chunk = []
    if chunk:
        yield chunk


def _portfolio(chunk: list[_Backtest]) -> vectorbt.Portfolio:
    """Trade one column for each backtest. Signals move down by one: they fill at the next open."""
    rsi = np.column_stack([rsi for _, rsi, _ in chunk])
    entries, exits = np.zeros(rsi.shape, bool), np.zeros(rsi.shape, bool)
    entries[1:] = rsi[:-1] < [strategy.oversold for *_, strategy in chunk]
    exits[1:] = rsi[:-1] > [strategy.overbought for *_, strategy in chunk]
    return vectorbt.Portfolio.from_signals(
        close=np.column_stack([candles.close for candles, *_ in chunk]),
        entries=entries,
        exits=exits,
        price=np.column_stack([candles.open for candles, *_ in chunk]),
        fees=_EXECUTION.fee_rate,
        init_cash=_EXECUTION.initial_capital,
        freq="1h",
    )


def _metrics(portfolio: vectorbt.Portfolio) -> NDArray[np.float64]:
    """Return total return, Sharpe ratio and greatest drawdown, shape (backtests, 3)."""
    returns = portfolio.returns_acc()
    return np.column_stack([returns.total(), returns.sharpe_ratio(), -returns.max_drawdown()])
