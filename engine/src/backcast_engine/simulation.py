"""The simulation: converts signals to fills, trades and equity, candle by candle, compiled.

There is one position at a time. The price of a fill without slippage is called raw; a buyer pays
raw * (1 + slippage) and a seller gets raw * (1 - slippage).

Signals. Flat: `buy` opens a long position, or else `sell` a short one, as far as the direction allows them.
Long: `sell` closes it, and opens a short one in its place where both are allowed. Short: the other way round.
A signal on close t fills at open t + 1, and one on the last close does not fill; with FillTime.SAME_CLOSE it
fills at close t.

Size. A position costs `budget`: a fraction of the equity, an amount, or equity * target / volatility at the
signal's close, never more than the equity. At a fill price p, long or short, it has
budget / (p * (1 + fee)) units; a short one brings units * p * (1 - fee) when it is opened and costs
units * p' * (1 + fee) when it is closed.

Carry. A short position costs borrow_rate of its value per year of 365 days, and a long one funding_rate.
That is charged for each candle at its close, and for a gap at the open after it; a candle within which the
position is stopped is free.

Inside a candle. A stop is at a distance from the entry's fill price, a trailing stop from the best price
since: the fill, and the highs (short: lows) of the candles before this one, because the order of high and low
within a candle is unknown. ATRs are those of the signal's close; if one is undefined, nothing is opened. A
position is liquidated when closing it would take all of the equity: a short one by its price, a long one when
its carry has cost more than the cash. The candle's open is tested first: if it is beyond a stop or
take-profit, it is the fill. Then comes the stop that is nearest to the price, then the take-profit: a candle
that touches both is a loss. A position opened at an open can be stopped in the same candle; one opened at a
close, from the next candle on.

Breaks. Each part of a window between breaks is a separate simulation, which begins with the cash that the one
before it left. At the last close before a break, a position is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit, types

from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.strategies import Signals
from backcast_engine.terms import TERMS, TRADE, Terms, TradeColumns

NO_COLUMN = np.empty(0)

_YEAR_S = 365 * 86_400
_FIRST_CAPACITY = 256
# Numbers of ExitReason, as constants for compiled code.
_NOT_CLOSED, _SIGNAL, _STOP_LOSS, _TRAILING_STOP, _TAKE_PROFIT, _LIQUIDATION, _BREAK = range(7)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome of a window of n candles, with k trades.

    `equity` is float64 of shape (n,): cash + units * close, in the quote currency. `trades` are records of
    dtype TRADE, shape (k,). `held` is the number of closes at which a position was open. `cash` is the cash
    besides a position that is still open, in the quote currency.
    """

    equity: PriceColumn
    trades: TradeColumns
    held: int
    cash: float


def simulate(
    window: Candles,
    signals: Signals,
    terms: Terms,
    atr: PriceColumn = NO_COLUMN,
    volatility: PriceColumn = NO_COLUMN,
    *,
    breaks_off: bool = False,
) -> Simulation:
    """Trade `signals` on `window`, both of n candles; where it `breaks_off`, a position is closed at the end.

    `atr` and `volatility` (per year) are float64 of shape (n,), or empty where the terms need none; high and
    low may be empty where they do not need the range.
    """
    high, low = (window.high, window.low) if terms.needs_range else (NO_COLUMN, NO_COLUMN)
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
            terms,
            breaks_off,
        )
    )


def joined(parts: Sequence[Simulation]) -> Simulation:
    """Join the simulations of consecutive parts of a window; all except the last end at a break."""
    if len(parts) == 1:
        return parts[0]
    trades, offset = [], 0
    for part in parts:
        moved = part.trades.copy()
        moved["entry"] += offset
        moved["exit"] += offset
        trades.append(moved)
        offset += len(part.equity)
    return Simulation(
        equity=np.concatenate([part.equity for part in parts]),
        trades=np.concatenate(trades),
        held=sum(part.held for part in parts),
        cash=parts[-1].cash,
    )


# The present position and the cash: a record, so that the functions below can change it. `side` is 1 for
# long, -1 for short, 0 for flat; `stop`, `profit` and `trail` are prices, NaN without such a stop; `carry` is
# the cost of borrowing or funding so far, `charged_s` the time of its last payment, `best` the best price
# since the entry, `atr` the average true range of the stops.
_POSITION = np.dtype(
    [
        (name, np.float64)
        for name in (
            *("cash", "side", "units", "cost", "price", "fee_paid", "carry", "charged_s"),
            *("stop", "profit", "trail", "best", "atr"),
        )
    ]
    + [("since", np.int64)]
)


# As NumPy computes: a division by zero gives infinity or NaN, and raises nothing.
_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _wanted(side, buy, sell, may_long, may_short):  # type: ignore[no-untyped-def]  # compiled
    """Return the side that the signals of a close ask for."""
    if side <= 0 and buy and (may_long or side < 0):
        return 1 if may_long else 0
    if side >= 0 and sell and (may_short or side > 0):
        return -1 if may_short else 0
    return side


@_compiled
def _budget(cash, terms, volatility):  # type: ignore[no-untyped-def]  # compiled
    """Return what a new position may cost, fee included; 0 if there is to be none."""
    if np.isnan(terms.target):
        return min(cash * terms.fraction, terms.amount)
    if not volatility > 0:
        return 0.0
    return cash * min(1.0, terms.target / volatility)


@_compiled
def _level(price, sign, fraction, multiple, atr):  # type: ignore[no-untyped-def]  # compiled
    """Return the price at a distance from `price`; NaN, which nothing ever touches, where there is none."""
    if not np.isnan(fraction):
        return price * (1 + sign * fraction)
    return price + sign * multiple * atr


@_compiled
def _enter(now, side, raw, index, time_s, budget, atr, terms):  # type: ignore[no-untyped-def]  # compiled
    price = raw * (1 + side * terms.slippage)
    now.side, now.price, now.since, now.cost = side, price, index, budget
    now.units = budget / (price * (1 + terms.fee))
    now.fee_paid, now.carry, now.charged_s = now.units * price * terms.fee, 0.0, time_s
    now.best, now.atr = price, atr
    now.stop = _level(price, -side, terms.stop_fraction, terms.stop_atr, atr)
    now.profit = _level(price, side, terms.profit_fraction, terms.profit_atr, atr)
    now.trail = _level(price, -side, terms.trail_fraction, terms.trail_atr, atr)
    if side > 0:
        now.cash -= budget
    else:
        now.cash += now.units * price * (1 - terms.fee)


@_compiled
def _closing_worth(now, raw, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return what closing the position adds to the cash: a negative amount for a short position."""
    side = now.side
    return side * (now.units * raw * (1 - side * terms.slippage) * (1 - side * terms.fee))


@_compiled
def _is_ruined(now, raw, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return whether closing the position takes all of the equity: costs can, as a short one is opened."""
    return (now.side < 0 or now.cash < 0) and now.cash + _closing_worth(now, raw, terms) <= 0


@_compiled
def _record(now, trade, index, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    """Write the position into the record `trade`, as one whose closing adds `worth` to the cash."""
    trade.entry, trade.exit, trade.reason = now.since, index, reason
    trade.units, trade.cost = now.side * now.units, now.cost
    trade.entry_price, trade.exit_price = now.price, exit_price
    paid = now.cost if now.side > 0 else now.fee_paid - now.units * now.price
    trade.profit = worth - paid - now.carry
    trade.fees = now.fee_paid + exit_fee
    trade.borrow, trade.funding = (now.carry, 0.0) if now.side < 0 else (0.0, now.carry)


@_compiled
def _leave(now, trade, raw, index, reason, terms):  # type: ignore[no-untyped-def]  # compiled
    worth = _closing_worth(now, raw, terms)
    if reason == _LIQUIDATION or now.cash + worth < 0:
        # A price that opened beyond the liquidation too: no more than everything can be lost.
        reason, worth = _LIQUIDATION, -now.cash
    exit_price = raw * (1 - now.side * terms.slippage)
    _record(now, trade, index, reason, exit_price, worth, now.units * exit_price * terms.fee)
    now.cash += worth
    now.side, now.units = 0.0, 0.0


@_compiled
def _has_carry(now, terms):  # type: ignore[no-untyped-def]  # compiled
    return now.side < 0 or (now.side > 0 and terms.funding_rate != 0)


@_compiled
def _charge(now, raw, time_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take from the cash what the position's borrowing or funding has cost since it was last charged."""
    rate = terms.borrow_rate if now.side < 0 else terms.funding_rate
    cost = now.units * raw * rate * ((time_s - now.charged_s) / _YEAR_S)
    now.cash -= cost
    now.carry += cost
    now.charged_s = time_s


@_compiled
def _touched(now, open_, high, low, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return why the position is closed within a candle (_NOT_CLOSED: it is not), and at which raw price."""
    side, stop, profit = now.side, now.stop, now.profit
    reason = _STOP_LOSS
    # Of several stops, the one nearest to the price; NaN means no stop.
    if not np.isnan(now.trail) and not side * now.trail <= side * stop:
        reason, stop = _TRAILING_STOP, now.trail
    if side < 0 or now.cash < 0:
        ruin = -side * now.cash / (now.units * (1 - side * terms.slippage) * (1 - side * terms.fee))
        if not side * ruin <= side * stop:
            reason, stop = _LIQUIDATION, ruin
    worst, best = (low, high) if side > 0 else (high, low)
    opens_beyond_profit = side * open_ >= side * profit
    if side * worst <= side * stop and not opens_beyond_profit:
        return reason, (min(stop, open_) if side > 0 else max(stop, open_))
    if side * best >= side * profit:
        return _TAKE_PROFIT, (max(profit, open_) if side > 0 else min(profit, open_))
    return _NOT_CLOSED, np.nan


@_compiled
def _fill(now, trades, count, wanted, raw, index, time_s, signal, atr, volatility, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close the open position and open the wanted one; return the number of closed trades."""
    if now.side != 0:
        if _has_carry(now, terms):
            _charge(now, raw, time_s, terms)
        _leave(now, trades[count], raw, index, _SIGNAL, terms)
        count += 1
    # Costs can eat everything: then there is nothing left to trade with.
    if wanted != 0 and now.cash > 0:
        budget = _budget(now.cash, terms, volatility[signal] if len(volatility) else np.nan)
        atr_then = atr[signal] if len(atr) else np.nan
        if budget > 0 and not (len(atr) and np.isnan(atr_then)):
            _enter(now, wanted, raw, index, time_s, budget, atr_then, terms)
    return count


@_compiled
def _live_through(now, trades, count, t, time_s, open_, high, low, close, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take the open position through candle t; return how many trades are closed now."""
    has_carry = _has_carry(now, terms)
    if has_carry and now.charged_s < time_s[t]:
        _charge(now, open_[t], time_s[t], terms)
    reason, raw = _touched(now, open_[t], high[t], low[t], terms)
    if reason == _NOT_CLOSED:
        if not np.isnan(now.trail):
            now.best = max(now.best, high[t]) if now.side > 0 else min(now.best, low[t])
            now.trail = _level(now.best, -now.side, terms.trail_fraction, terms.trail_atr, now.atr)
        if not has_carry:
            return count
        _charge(now, close[t], time_s[t] + terms.interval_s, terms)
        if not _is_ruined(now, close[t], terms):
            return count
        reason, raw = _LIQUIDATION, close[t]
    _leave(now, trades[count], raw, t, reason, terms)
    return count + 1


@_compiled
def _equity(now, close):  # type: ignore[no-untyped-def]  # compiled
    return now.cash + now.side * now.units * close


@_compiled
def _next(flags, t):  # type: ignore[no-untyped-def]  # compiled
    """Return the index of the first flag that is set from t on, or n."""
    # Most are not: it is faster to ask eight at once.
    found = False
    while not found and t + 8 <= len(flags):
        eight = flags[t : t + 8]
        for i in range(8):
            found |= eight[i]
        t += 0 if found else 8
    while t < len(flags) and not flags[t]:
        t += 1
    return t


@_compiled
def _coast(equity, close, buy, sell, t, now, terms):  # type: ignore[no-untyped-def]  # compiled
    """Write the equity from candle t on while no signal asks for another side; return where one does, or n.

    Nothing else can happen: without stops, most candles of a backtest are passed here.
    """
    end = len(close)
    if now.side < 0 or (now.side == 0 and terms.may_long):
        end = _next(buy, t)
    if now.side > 0 or (now.side == 0 and terms.may_short):
        end = min(end, _next(sell, t))
    cash, units = now.cash, now.side * now.units
    passed, closes = equity[t : end + 1], close[t : end + 1]
    for i in range(len(passed)):
        passed[i] = cash + units * closes[i]
    return end


@_compiled
def _with_room(trades, count):  # type: ignore[no-untyped-def]  # compiled
    # A candle closes two at most: one at its open, and one within it.
    if count + 2 <= len(trades):
        return trades
    larger = np.empty(2 * len(trades), TRADE)
    larger[:count] = trades[:count]
    return larger


# Columns may be read-only, as memory-mapped ones are.
_PRICES = types.Array(types.float64, 1, "C", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_TIMES = types.Array(types.int64, 1, "C", readonly=True)


# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
@njit(
    (_TIMES, *(_PRICES,) * 4, *(_FLAGS,) * 2, *(_PRICES,) * 2, TERMS, types.boolean),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _simulate(time_s, open_, high, low, close, buy, sell, atr, volatility, terms, breaks_off):  # type: ignore[no-untyped-def]  # compiled
    n = len(close)
    equity = np.empty(n)
    trades = np.empty(_FIRST_CAPACITY, TRADE)
    count = held = wanted = side = t = 0
    now = np.zeros(1, _POSITION)[0]
    now.cash = terms.capital
    while t < n:
        trades = _with_room(trades, count)
        # Orders of the last close fill at this open; those at a close have filled there.
        if wanted != side:
            count = _fill(now, trades, count, wanted, open_[t], t, time_s[t], t - 1, atr, volatility, terms)
        if terms.needs_range and now.side != 0:
            count = _live_through(now, trades, count, t, time_s, open_, high, low, close, terms)
            equity[t] = _equity(now, close[t])
        else:
            began = t
            t = _coast(equity, close, buy, sell, t, now, terms)
            held += (t - began) * (now.side != 0)
            if t == n:
                break
        side = int(now.side)
        wanted = _wanted(side, buy[t], sell[t], terms.may_long, terms.may_short)
        if wanted != side and terms.same_close:
            close_s = time_s[t] + terms.interval_s
            count = _fill(now, trades, count, wanted, close[t], t, close_s, t, atr, volatility, terms)
            if _is_ruined(now, close[t], terms):
                _leave(now, trades[count], close[t], t, _LIQUIDATION, terms)
                count += 1
            equity[t] = _equity(now, close[t])
            wanted = side = int(now.side)
        held += side != 0
        t += 1
    if now.side != 0:
        trades = _with_room(trades, count)
        if breaks_off:
            # The last equity does not change, because the break was not known then; the cash contains the
            # costs.
            _leave(now, trades[count], close[n - 1], n - 1, _BREAK, terms)
        else:
            _record(now, trades[count], n, _NOT_CLOSED, np.nan, now.side * now.units * close[n - 1], 0.0)
        count += 1
    return equity, trades[:count], held, now.cash
