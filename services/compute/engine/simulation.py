"""The order simulation: signals to fills, trades and equity, candle by candle, compiled.

There is one position at a time. Prices that fills are made of are called raw; a buyer pays
raw * (1 + slippage) and a seller gets raw * (1 - slippage), whatever the order was.

Signals. Flat: `buy` opens a long position, or else `sell` a short one, as far as the direction allows them.
Long: `sell` closes it, and opens a short one in its place where both are allowed. Short: the other way round.
A signal on close t fills at open t + 1, and one on the last close does not fill; with FillTime.SAME_CLOSE it
fills at close t.

Size. A position costs `budget`: a fraction of the equity, an amount, or equity * target / volatility at the
signal's close, never more than the equity. At a fill price p, long or short, it has
budget / (p * (1 + fee)) units; a short one brings units * p * (1 - fee) when it is opened and costs
units * p' * (1 + fee) when it is closed, and what it is worth per second costs borrow_rate / a year.

Inside a candle. A stop is at the distance from the entry's fill price, a trailing one from the best price
since: the fill, and the highs (short: lows) of the candles before this one, for which comes first within a
candle nobody knows. ATRs are those of the signal's close; where one is undefined nothing is opened. A short
position is liquidated where closing it would take all of the equity. The candle's open comes first: beyond
a stop or a profit, it is the fill. Then the stop that is nearest to the price, then the profit: a candle
that touches both is a loss. A position opened at an open can be stopped in that very candle; one opened at
a close from the next on.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from services.compute.engine.execution import Execution
from services.compute.engine.position import (
    CASH,
    CHARGED_S,
    LIQUIDATION,
    NOT_CLOSED,
    SIDE,
    SIGNAL,
    STATE_SIZE,
    TERMS,
    TRADE_COLUMNS,
    TRAIL,
    UNITS,
    budget_of,
    charge,
    closing_worth,
    enter,
    leave,
    pull_trail,
    record,
    terms_of,
    touched,
)
from services.compute.engine.strategies import Signals
from services.shared.candles import Candles, PriceColumn
from services.shared.interval import Interval

_FIRST_CAPACITY = 256
NO_COLUMN = np.empty(0)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What happened in a window of n candles, with k trades.

    `equity` is float64 of shape (n,): cash + units * close, in the quote currency. `trades` is float64 of
    shape (k, TRADE_COLUMNS), see `position`: indices of the candles of entry and exit (n: still open), the
    reason of the exit, units (negative: short), fill prices of both (NaN: still open), what it cost, what
    it gained net of everything (marked at the last close while open), the fees of its fills, and what
    borrowing cost. `held` is the number of closes at which there was a position.
    """

    equity: PriceColumn
    trades: NDArray[np.float64]
    held: int


def simulate(
    window: Candles,
    signals: Signals,
    execution: Execution,
    interval: Interval,
    atr: PriceColumn = NO_COLUMN,
    volatility: PriceColumn = NO_COLUMN,
) -> Simulation:
    """Trade `signals` on `window`, both of n candles.

    `atr` and `volatility` (per year) are float64 of shape (n,), or empty where the execution needs none;
    high and low may be empty where it does not need the range.
    """
    high, low = (window.high, window.low) if execution.needs_range else (NO_COLUMN, NO_COLUMN)
    return Simulation(
        *_simulate(
            window.open_time_s,
            window.open,
            high,
            low,
            window.close,
            signals.buy,
            signals.sell,
            atr,
            volatility,
            terms_of(execution, interval.seconds),
        )
    )


@njit(cache=True, nogil=True)
def _wanted(side, buy, sell, may_long, may_short):  # type: ignore[no-untyped-def]  # compiled
    """Return the side that the signals of a close ask for."""
    if side <= 0 and buy and (may_long or side < 0):
        return 1 if may_long else 0
    if side >= 0 and sell and (may_short or side > 0):
        return -1 if may_short else 0
    return side


@njit(cache=True, nogil=True)
def _equity(now, close):  # type: ignore[no-untyped-def]  # compiled
    return now[CASH] + now[SIDE] * now[UNITS] * close


@njit(cache=True, nogil=True)
def _coast(equity, close, buy, sell, t, now, terms):  # type: ignore[no-untyped-def]  # compiled
    """Write the equity from candle t on while no signal asks for another side; return where one does, or n.

    Nothing else can happen: without stops, most candles of a backtest are passed here.
    """
    side, cash, units = now[SIDE], now[CASH], now[SIDE] * now[UNITS]
    by_buy = side < 0 or (side == 0 and terms.may_long)
    by_sell = side > 0 or (side == 0 and terms.may_short)
    while t < len(close):
        equity[t] = cash + units * close[t]
        if (by_buy and buy[t]) or (by_sell and sell[t]):
            return t
        t += 1
    return t


@njit(cache=True, nogil=True)
def _with_room(trades, count):  # type: ignore[no-untyped-def]  # compiled
    # A candle closes two at most: one at its open, and one within it.
    if count + 2 <= len(trades):
        return trades
    larger = np.empty((2 * len(trades), TRADE_COLUMNS))
    larger[:count] = trades[:count]
    return larger


@njit(cache=True, nogil=True)
def _trade(now, trades, count, wanted, raw, index, time_s, signal, atr, volatility, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close what is open, and open what is wanted instead; return how many trades are closed now."""
    if now[SIDE] != 0:
        if now[SIDE] < 0:
            charge(now, raw, time_s, terms)
        leave(now, trades[count], raw, index, SIGNAL, terms)
        count += 1
    # Costs can eat everything: then there is nothing left to trade with.
    if wanted != 0 and now[CASH] > 0:
        budget = budget_of(now[CASH], terms, volatility[signal] if len(volatility) else np.nan)
        if budget > 0:
            atr_then = atr[signal] if len(atr) else np.nan
            enter(now, wanted, raw, index, time_s, budget, atr_then, terms)
    return count


@njit(cache=True, nogil=True)
def _live_through(now, trades, count, t, time_s, open_, high, low, close, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take the open position through candle t; return how many trades are closed now."""
    short = now[SIDE] < 0
    if short and now[CHARGED_S] < time_s[t]:
        charge(now, open_[t], time_s[t], terms)
    reason, raw = touched(now, open_[t], high[t], low[t], terms)
    if reason != NOT_CLOSED:
        leave(now, trades[count], raw, t, reason, terms)
        return count + 1
    if not np.isnan(now[TRAIL]):
        pull_trail(now, high[t], low[t], terms)
    if short:
        charge(now, close[t], time_s[t] + terms.interval_s, terms)
        if now[CASH] + closing_worth(now, close[t], terms) <= 0:
            leave(now, trades[count], close[t], t, LIQUIDATION, terms)
            return count + 1
    return count


# Columns may be read-only, as memory-mapped ones are.
_PRICES = types.Array(types.float64, 1, "C", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_TIMES = types.Array(types.int64, 1, "C", readonly=True)
# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
_SIGNATURE = (_TIMES, *(_PRICES,) * 4, *(_FLAGS,) * 2, *(_PRICES,) * 2, TERMS)


@njit(_SIGNATURE, cache=True, nogil=True)
def _simulate(time_s, open_, high, low, close, buy, sell, atr, volatility, terms):  # type: ignore[no-untyped-def]  # compiled
    n = len(close)
    equity = np.empty(n)
    trades = np.empty((_FIRST_CAPACITY, TRADE_COLUMNS))
    count, held = 0, 0
    has_range = len(high) > 0
    now = np.zeros(STATE_SIZE)
    now[CASH] = terms.capital
    side, wanted, t = 0, 0, 0
    while t < n:
        trades = _with_room(trades, count)
        # Orders of the last close fill at this open; those at a close have filled there.
        if wanted != side:
            count = _trade(now, trades, count, wanted, open_[t], t, time_s[t], t - 1, atr, volatility, terms)
        if has_range and now[SIDE] != 0:
            count = _live_through(now, trades, count, t, time_s, open_, high, low, close, terms)
            equity[t] = _equity(now, close[t])
        else:
            began = t
            t = _coast(equity, close, buy, sell, t, now, terms)
            held += (t - began) * (now[SIDE] != 0)
            if t == n:
                break
        side = int(now[SIDE])
        wanted = _wanted(side, buy[t], sell[t], terms.may_long, terms.may_short)
        if wanted != side and terms.same_close:
            close_s = time_s[t] + terms.interval_s
            count = _trade(now, trades, count, wanted, close[t], t, close_s, t, atr, volatility, terms)
            equity[t] = _equity(now, close[t])
            wanted = side = int(now[SIDE])
        held += side != 0
        t += 1
    if now[SIDE] != 0:
        trades = _with_room(trades, count)
        record(now, trades[count], n, NOT_CLOSED, np.nan, now[SIDE] * now[UNITS] * close[n - 1], 0.0)
        count += 1
    return equity, trades[:count], held
