"""The order simulation: signals to fills and equity, candle by candle, compiled."""

from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from services.compute.engine.results import Execution
from services.compute.engine.strategies import Signals
from services.shared.candles import Candles, PriceColumn

IndexColumn = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happened in a window of n candles, k of them with a purchase.

    `equity` is float64 of shape (n,): cash + units * close. The others have shape (k,): indices of the
    candles at whose open was bought and sold (n: not sold), the units bought, and the cash that each
    purchase took and each sale brought, fees included (NaN: not sold).
    """

    equity: PriceColumn
    entry: IndexColumn
    exit: IndexColumn
    units: PriceColumn
    cost: PriceColumn
    proceeds: PriceColumn


def simulate(window: Candles, signals: Signals, execution: Execution) -> Simulation:
    """Trade `signals` on `window`, both of n candles: long only, all in, filled at the next open.

    A signal on close t fills at open t + 1; one on the last close does not fill. A purchase at
    price = open * (1 + slippage) gets cash / (price * (1 + fee)) units; a sale brings
    units * open * (1 - slippage) * (1 - fee).
    """
    return Simulation(
        *_simulate(
            np.ascontiguousarray(window.open),
            np.ascontiguousarray(window.close),
            np.ascontiguousarray(signals.buy),
            np.ascontiguousarray(signals.sell),
            execution.fee_rate,
            execution.slippage_bps / 10_000,
            execution.initial_capital,
        )
    )


# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
# Columns may be read-only, as memory-mapped ones are.
_PRICES = types.Array(types.float64, 1, "C", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)


@njit((_PRICES, _PRICES, _FLAGS, _FLAGS, types.float64, types.float64, types.float64), cache=True, nogil=True)
def _simulate(open_, close, buy, sell, fee, slippage, capital):  # type: ignore[no-untyped-def]  # compiled
    n = len(close)
    equity = np.empty(n)
    # Buying takes a flat candle and selling a long one: at most every second candle has a purchase.
    most = n // 2 + 1
    entry, exit_ = np.empty(most, np.int64), np.full(most, n, np.int64)
    units_bought, cost, proceeds = np.empty(most), np.empty(most), np.full(most, np.nan)
    trades, cash, units = 0, capital, 0.0
    long, want_buy, want_sell = False, False, False
    for t in range(n):
        if want_buy:
            units = cash / (open_[t] * (1 + slippage) * (1 + fee))
            entry[trades], units_bought[trades], cost[trades] = t, units, cash
            cash, long = 0.0, True
        elif want_sell:
            cash = units * open_[t] * (1 - slippage) * (1 - fee)
            exit_[trades], proceeds[trades] = t, cash
            trades += 1
            units, long = 0.0, False
        equity[t] = cash + units * close[t]
        # Costs can eat everything: then there is nothing left to buy with.
        want_buy, want_sell = not long and buy[t] and cash > 0, long and sell[t]
    if long:
        trades += 1
    return equity, entry[:trades], exit_[:trades], units_bought[:trades], cost[:trades], proceeds[:trades]
