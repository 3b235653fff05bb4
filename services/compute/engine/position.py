"""The position that there is at a time: how it is opened, stopped and closed. Compiled parts of `simulation`.

A position is a row of numbers, so that these functions can change it; prices called raw are without slippage.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, types

from services.compute.engine.execution import Direction, Distance, Execution, FillTime

YEAR_S = 365 * 86_400

# What is open now. The cash is there without a position too, and the side is 1 long, -1 short, 0 flat.
CASH, SIDE, UNITS, COST, PRICE, SINCE, FEE_PAID, BORROWED, CHARGED_S, STOP, PROFIT_LEVEL, TRAIL, BEST, ATR = (
    range(14)
)
STATE_SIZE = 14

# The columns of the trades that are recorded, a row each.
(
    ENTRY,
    EXIT,
    REASON,
    TRADE_UNITS,
    ENTRY_PRICE,
    EXIT_PRICE,
    TRADE_COST,
    PROFIT,
    FEES,
    BORROW,
) = range(10)
TRADE_COLUMNS = 10

# Why a position was closed.
NOT_CLOSED, SIGNAL, STOP_LOSS, TRAILING_STOP, TAKE_PROFIT, LIQUIDATION = range(6)


class Terms(NamedTuple):
    """An execution as compiled code takes it; distances are NaN where there is no such stop."""

    fee: float
    slippage: float
    capital: float
    fraction: float
    amount: float
    target: float
    stop_fraction: float
    stop_atr: float
    profit_fraction: float
    profit_atr: float
    trail_fraction: float
    trail_atr: float
    borrow_rate: float
    interval_s: float
    same_close: bool
    may_long: bool
    may_short: bool


TERMS = types.NamedTuple(  # type: ignore[no-untyped-call]
    (*(types.float64,) * 14, *(types.boolean,) * 3), Terms
)


def terms_of(execution: Execution, interval_s: int) -> Terms:
    """Return the terms of an execution; `interval_s` is the candles' length in seconds."""
    target = execution.volatility_target
    numbers = (
        execution.fee_rate,
        execution.slippage_bps / 10_000,
        execution.initial_capital,
        execution.equity_fraction,
        np.inf if execution.quote_amount is None else execution.quote_amount,
        np.nan if target is None else target.annual_volatility,
        *_distance(execution.stop_loss),
        *_distance(execution.take_profit),
        *_distance(execution.trailing_stop),
        execution.borrow_rate,
        interval_s,
    )
    # Compiled code takes no whole number for a float64.
    return Terms(
        *map(float, numbers),
        same_close=execution.fill_time is FillTime.SAME_CLOSE,
        may_long=execution.direction is not Direction.SHORT_ONLY,
        may_short=execution.direction is not Direction.LONG_ONLY,
    )


def _distance(distance: Distance | None) -> tuple[float, float]:
    if distance is None:
        return np.nan, np.nan
    fraction, multiple = distance.fraction, distance.atr_multiple
    return np.nan if fraction is None else fraction, np.nan if multiple is None else multiple


@njit(cache=True, nogil=True)
def budget_of(cash, terms, volatility):  # type: ignore[no-untyped-def]  # compiled
    """Return what a new position may cost, fee included; 0 where there is to be none."""
    if np.isnan(terms.target):
        return min(cash * terms.fraction, terms.amount)
    if not volatility > 0:
        return 0.0
    return cash * min(1.0, terms.target / volatility)


@njit(cache=True, nogil=True)
def enter(now, side, raw, index, time_s, budget, atr, terms):  # type: ignore[no-untyped-def]  # compiled
    """Open a position; `atr` is the signal's: where it is NaN, nothing that needs it is opened."""
    price = raw * (1 + side * terms.slippage)
    units = budget / (price * (1 + terms.fee))
    stop = _level(price, -side, terms.stop_fraction, terms.stop_atr, atr)
    profit = _level(price, side, terms.profit_fraction, terms.profit_atr, atr)
    trail = _level(price, -side, terms.trail_fraction, terms.trail_atr, atr)
    if (
        (np.isnan(stop) and not np.isnan(terms.stop_atr))
        or (np.isnan(profit) and not np.isnan(terms.profit_atr))
        or (np.isnan(trail) and not np.isnan(terms.trail_atr))
    ):
        return
    now[SIDE], now[UNITS], now[COST], now[PRICE], now[SINCE] = side, units, budget, price, index
    now[FEE_PAID], now[BORROWED], now[CHARGED_S] = units * price * terms.fee, 0.0, time_s
    now[STOP], now[PROFIT_LEVEL], now[TRAIL], now[BEST], now[ATR] = stop, profit, trail, price, atr
    if side > 0:
        now[CASH] -= budget
    else:
        now[CASH] += units * price * (1 - terms.fee)


@njit(cache=True, nogil=True)
def _level(price, sign, fraction, multiple, atr):  # type: ignore[no-untyped-def]  # compiled
    """Return the price at a distance from `price`; NaN, which nothing ever touches, where there is none."""
    if not np.isnan(fraction):
        return price * (1 + sign * fraction)
    return price + sign * multiple * atr


@njit(cache=True, nogil=True)
def closing_worth(now, raw, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return what closing the position adds to the cash: less than nothing where it is short."""
    side = now[SIDE]
    return side * (now[UNITS] * raw * (1 - side * terms.slippage) * (1 - side * terms.fee))


@njit(cache=True, nogil=True)
def leave(now, trade, raw, index, reason, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close the position, and write it into the row `trade`."""
    worth = closing_worth(now, raw, terms)
    if reason == LIQUIDATION or now[CASH] + worth < 0:
        # A price that opened beyond the liquidation too: no more than everything can be lost.
        reason, worth = LIQUIDATION, -now[CASH]
    exit_price = raw * (1 - now[SIDE] * terms.slippage)
    record(now, trade, index, reason, exit_price, worth, now[UNITS] * exit_price * terms.fee)
    now[CASH] += worth
    now[SIDE], now[UNITS] = 0.0, 0.0


@njit(cache=True, nogil=True)
def record(now, trade, index, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    """Write the position into the row `trade`, as one whose closing adds `worth` to the cash."""
    side, units = now[SIDE], now[UNITS]
    trade[ENTRY], trade[EXIT], trade[REASON], trade[TRADE_UNITS] = now[SINCE], index, reason, side * units
    trade[ENTRY_PRICE], trade[EXIT_PRICE], trade[TRADE_COST] = now[PRICE], exit_price, now[COST]
    if side > 0:
        trade[PROFIT] = worth - now[COST]
    else:
        trade[PROFIT] = units * now[PRICE] - now[FEE_PAID] + worth - now[BORROWED]
    trade[FEES], trade[BORROW] = now[FEE_PAID] + exit_fee, now[BORROWED]


@njit(cache=True, nogil=True)
def charge(now, raw, time_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take from the cash what a short position has cost to borrow since it was last charged."""
    cost = now[UNITS] * raw * terms.borrow_rate * ((time_s - now[CHARGED_S]) / YEAR_S)
    now[CASH] -= cost
    now[BORROWED] += cost
    now[CHARGED_S] = time_s


@njit(cache=True, nogil=True)
def touched(now, open_, high, low, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return why the position is closed within a candle (NOT_CLOSED: it is not), and at which raw price."""
    side, stop, profit, trail = now[SIDE], now[STOP], now[PROFIT_LEVEL], now[TRAIL]
    reason = STOP_LOSS
    # Of several stops the one that is nearest to the price; what is NaN is not there.
    if not np.isnan(trail) and not side * trail <= side * stop:
        reason, stop = TRAILING_STOP, trail
    if side < 0:
        ruin = now[CASH] / (now[UNITS] * (1 + terms.slippage) * (1 + terms.fee))
        if not ruin >= stop:
            reason, stop = LIQUIDATION, ruin
    worst, best = (low, high) if side > 0 else (high, low)
    opens_beyond_profit = side * open_ >= side * profit
    if side * worst <= side * stop and not opens_beyond_profit:
        return reason, (min(stop, open_) if side > 0 else max(stop, open_))
    if side * best >= side * profit:
        return TAKE_PROFIT, (max(profit, open_) if side > 0 else min(profit, open_))
    return NOT_CLOSED, np.nan


@njit(cache=True, nogil=True)
def pull_trail(now, high, low, terms):  # type: ignore[no-untyped-def]  # compiled
    """Move the trailing stop to its distance from the best price, that of this candle included."""
    side = now[SIDE]
    now[BEST] = max(now[BEST], high) if side > 0 else min(now[BEST], low)
    now[TRAIL] = _level(now[BEST], -side, terms.trail_fraction, terms.trail_atr, now[ATR])
