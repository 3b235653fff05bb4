"""The account: one pass over time that trades the signals of many cryptos with one capital, compiled.

docs/portfolios.md defines what happens, in which order; `simulation` does the same for one crypto. All of it
is in one file, because what is compiled must not depend on the code of another file; tests hold the
arithmetic of fills to that of `simulation`, bit by bit.

A leg is a strategy on a crypto: leg = crypto × strategies + strategy, and cryptos are in order of their
symbols. The candles of all cryptos lie behind each other in one column, those of crypto c from `offsets[c]`
to before `offsets[c + 1]`; columns of legs have one such column for each strategy, behind each other.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn
from backcast_engine.terms import TERMS, TRADE, Terms, TradeColumns

_YEAR_S = 365 * 86_400
# Numbers of ExitReason, as constants for compiled code.
_NOT_CLOSED, _SIGNAL, _STOP_LOSS, _TRAILING_STOP, _TAKE_PROFIT, _LIQUIDATION, _BREAK = range(7)
# Numbers of SkipReason.
_NO_EQUITY, _NO_PLACE, _UNDEFINED_SIZE, _NO_CASH = range(4)
_SKIP_REASONS = 4
# An entry that gets less than this share of its size is none.
_LEAST_SHARE = 0.01
# How often a leg can be closed at one of the portfolio's candles: at its open, within it, and at its close.
_MOST_EXITS = 3


class Plan(NamedTuple):
    """How the account is divided, in the form for compiled code; `every` is 0 without rebalancing."""

    places: int
    equal: bool
    every: int
    threshold: float


PLAN = types.NamedTuple((types.int64, types.boolean, types.int64, types.float64), Plan)  # type: ignore[no-untyped-call]


class MarketColumns(NamedTuple):
    """The candles of all cryptos, behind each other: columns of shape (n,), unless they are empty.

    `step` is the number of the portfolio's candle that a candle belongs to, int64, and `ends` tells where a
    position is closed: at the last candle of a part before a break, or of a crypto that ends early. `offsets`
    is int64 of shape (cryptos + 1,). High and low are empty where the terms do not need the range. `rank` is
    empty without a rank.
    """

    time_s: NDArray[np.int64]
    open: PriceColumn
    high: PriceColumn
    low: PriceColumn
    close: PriceColumn
    step: NDArray[np.int64]
    ends: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    rank: PriceColumn


class LegColumns(NamedTuple):
    """Signals and measures of all legs: columns of shape (strategies × n,), measures possibly empty."""

    buy: NDArray[np.bool_]
    sell: NDArray[np.bool_]
    atr: PriceColumn
    volatility: PriceColumn


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the account in a window of n candles of the portfolio, with k trades and L legs.

    Of shape (n,): `equity`, `cash` and `exposure` are float64, `positions` is int64. `trades` are records of
    dtype TRADE, shape (k,), whose entries and exits count the candles of their own crypto; `legs` is int64 of
    shape (k,). `held` is the number of closes at which a position was open. Of shape (L,): `traded` is the
    value of all fills, float64; `skipped`, of shape (L, 4), counts skipped entries by reason. Of shape (n,
    cryptos): `changes` is how the profit of a crypto's positions changed in a candle, and `had` whether it
    had any.
    """

    equity: PriceColumn
    cash: PriceColumn
    exposure: PriceColumn
    positions: NDArray[np.int64]
    trades: TradeColumns
    legs: NDArray[np.int64]
    held: int
    traded: PriceColumn
    skipped: NDArray[np.int64]
    changes: NDArray[np.float64]
    had: NDArray[np.bool_]


def trade_account(
    market: MarketColumns, legs: LegColumns, weights: PriceColumn, steps: int, plan: Plan, terms: Terms
) -> Account:
    """Trade the signals of all legs with one account, over `steps` candles of the portfolio.

    `weights` is float64 of shape (strategies,).
    """
    return Account(*_trade_account(*market, *legs, weights, steps, plan, terms))


_STATE = np.dtype([("cash", np.float64), ("open", np.int64), ("count", np.int64)])
# A leg's position. As in `simulation`, and: `bought` units were bought in all, `paid` is what they took from
# the cash, `locked` is the collateral of a short position, `mark` its present price.
_POSITION = np.dtype(
    [
        (name, np.float64)
        for name in (
            *("side", "units", "cost", "price", "bought", "paid", "fee_paid", "carry", "charged_s"),
            *("stop", "profit", "trail", "best", "atr", "locked", "mark"),
        )
    ]
    + [("since", np.int64)]
)


class _Book(NamedTuple):
    """All that changes: `state` has one record, `order` the legs with an open position in ascending order.

    `at` is the candle that a crypto has reached, and `is_new` whether that is one of the present time. `seen`
    and `had` are of the legs that something happened to, and that had a position.
    """

    state: NDArray[np.void]
    positions: NDArray[np.void]
    order: NDArray[np.int64]
    at: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    taken: NDArray[np.int64]
    realized: PriceColumn
    traded: PriceColumn
    skipped: NDArray[np.int64]
    seen: NDArray[np.bool_]
    had: NDArray[np.bool_]
    offsets: NDArray[np.int64]


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
def _size(share, volatility, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return what a position of a strategy with this share of the equity should cost; 0 if undefined."""
    if plan.equal:
        return share / plan.places
    if np.isnan(terms.target):
        return min(share * terms.fraction, terms.amount)
    if not volatility > 0:
        return 0.0
    return share * min(1.0, terms.target / volatility)


@_compiled
def _level(price, sign, fraction, multiple, atr):  # type: ignore[no-untyped-def]  # compiled
    """Return the price at a distance from `price`; NaN, which nothing ever touches, where there is none."""
    if not np.isnan(fraction):
        return price * (1 + sign * fraction)
    return price + sign * multiple * atr


@_compiled
def _value(book, without=-1):  # type: ignore[no-untyped-def]  # compiled
    """Return the value of all positions at their present prices, but for the one of leg `without`."""
    value = 0.0
    for leg in book.order[: book.state[0].open]:
        if leg != without:
            now = book.positions[leg]
            value += now.side * now.units * now.mark
    return value


@_compiled
def _free_cash(book):  # type: ignore[no-untyped-def]  # compiled
    locked = 0.0
    for leg in book.order[: book.state[0].open]:
        locked += book.positions[leg].locked
    return book.state[0].cash - locked


@_compiled
def _open_leg(book, leg):  # type: ignore[no-untyped-def]  # compiled
    """Put a leg among those with an open position."""
    state, order = book.state[0], book.order
    place = state.open
    while place > 0 and order[place - 1] > leg:
        order[place] = order[place - 1]
        place -= 1
    order[place] = leg
    state.open += 1
    book.taken[leg % len(book.taken)] += 1
    book.seen[leg] = book.had[leg] = True


@_compiled
def _close_leg(book, leg):  # type: ignore[no-untyped-def]  # compiled
    state, order = book.state[0], book.order
    place = 0
    while order[place] != leg:
        place += 1
    state.open -= 1
    for i in range(place, state.open):
        order[i] = order[i + 1]
    book.taken[leg % len(book.taken)] -= 1
    book.seen[leg] = True
    book.positions[leg].side, book.positions[leg].units, book.positions[leg].locked = 0.0, 0.0, 0.0


@_compiled
def _enter(book, leg, side, raw, index, time_s, budget, atr, terms):  # type: ignore[no-untyped-def]  # compiled
    now = book.positions[leg]
    price = raw * (1 + side * terms.slippage)
    now.side, now.price, now.since, now.cost, now.mark = side, price, index, budget, raw
    now.units = budget / (price * (1 + terms.fee))
    now.fee_paid, now.carry, now.charged_s = now.units * price * terms.fee, 0.0, time_s
    now.best, now.atr, now.bought = price, atr, now.units
    now.stop = _level(price, -side, terms.stop_fraction, terms.stop_atr, atr)
    now.profit = _level(price, side, terms.profit_fraction, terms.profit_atr, atr)
    now.trail = _level(price, -side, terms.trail_fraction, terms.trail_atr, atr)
    if side > 0:
        book.state[0].cash -= budget
        now.paid, now.locked = budget, 0.0
    else:
        brought = now.units * price * (1 - terms.fee)
        book.state[0].cash += brought
        now.paid, now.locked = now.fee_paid - now.units * price, budget + brought
    book.traded[leg] += now.units * price
    _open_leg(book, leg)


@_compiled
def _closing_worth(now, raw, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return what closing a position adds to the cash: a negative amount for a short position."""
    side = now.side
    return side * (now.units * raw * (1 - side * terms.slippage) * (1 - side * terms.fee))


@_compiled
def _is_ruined(now, backing, raw, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return whether closing a position takes all that backs it."""
    return (now.side < 0 or backing < 0) and backing + _closing_worth(now, raw, terms) <= 0


@_compiled
def _record(now, trade, index, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    """Write a position into the record `trade`, as one whose closing adds `worth` to the cash."""
    trade.entry, trade.exit, trade.reason = now.since, index, reason
    trade.units, trade.cost = now.side * now.units, now.cost
    trade.entry_price, trade.exit_price = now.price, exit_price
    trade.profit = worth - now.paid - now.carry
    trade.fees = now.fee_paid + exit_fee
    trade.borrow, trade.funding = (now.carry, 0.0) if now.side < 0 else (0.0, now.carry)


@_compiled
def _close(book, trades, legs, leg, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    state = book.state[0]
    index = book.at[leg // len(book.taken)] - book.offsets[leg // len(book.taken)]
    trade = trades[state.count]
    _record(book.positions[leg], trade, index, reason, exit_price, worth, exit_fee)
    legs[state.count] = leg
    state.count += 1
    state.cash += worth
    book.realized[leg] += trade.profit
    book.traded[leg] += book.positions[leg].units * exit_price
    _close_leg(book, leg)


@_compiled
def _leave(book, trades, legs, leg, raw, reason, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close a position at the raw price; where that takes all of the equity, the account is closed."""
    now = book.positions[leg]
    backing = book.state[0].cash + _value(book, leg)
    worth = _closing_worth(now, raw, terms)
    is_gone = reason == _LIQUIDATION or backing + worth < 0
    if is_gone:
        # A price that opened beyond the liquidation too: no more than everything can be lost.
        reason, worth = _LIQUIDATION, -backing
    exit_price = raw * (1 - now.side * terms.slippage)
    _close(book, trades, legs, leg, reason, exit_price, worth, now.units * exit_price * terms.fee)
    if is_gone:
        while book.state[0].open:
            other = book.order[0]
            left = book.positions[other]
            worth = left.side * left.units * left.mark
            _close(book, trades, legs, other, _LIQUIDATION, left.mark, worth, 0.0)
        book.state[0].cash = 0.0


@_compiled
def _has_carry(now, terms):  # type: ignore[no-untyped-def]  # compiled
    return now.side < 0 or (now.side > 0 and terms.funding_rate != 0)


@_compiled
def _charge(book, now, raw, time_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take from the cash what a position's borrowing or funding has cost since it was last charged."""
    rate = terms.borrow_rate if now.side < 0 else terms.funding_rate
    cost = now.units * raw * rate * ((time_s - now.charged_s) / _YEAR_S)
    book.state[0].cash -= cost
    now.carry += cost
    now.charged_s = time_s


@_compiled
def _touched(now, backing, open_, high, low, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return why a position is closed within a candle (_NOT_CLOSED: it is not), and at which raw price."""
    side, stop, profit = now.side, now.stop, now.profit
    reason = _STOP_LOSS
    # Of several stops, the one nearest to the price; NaN means no stop.
    if not np.isnan(now.trail) and not side * now.trail <= side * stop:
        reason, stop = _TRAILING_STOP, now.trail
    if side < 0 or backing < 0:
        ruin = -side * backing / (now.units * (1 - side * terms.slippage) * (1 - side * terms.fee))
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
def _live_through(book, trades, legs, leg, market, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take a position through the present candle of its crypto."""
    now, i = book.positions[leg], book.at[leg // len(book.taken)]
    close = market.close[i]
    if not terms.needs_range:
        now.mark = close
        return
    backing = book.state[0].cash + _value(book, leg)
    reason, raw = _touched(now, backing, market.open[i], market.high[i], market.low[i], terms)
    if reason == _NOT_CLOSED:
        if not np.isnan(now.trail):
            now.best = max(now.best, market.high[i]) if now.side > 0 else min(now.best, market.low[i])
            now.trail = _level(now.best, -now.side, terms.trail_fraction, terms.trail_atr, now.atr)
        now.mark = close
        if not _has_carry(now, terms):
            return
        _charge(book, now, close, market.time_s[i] + terms.interval_s, terms)
        if not _is_ruined(now, book.state[0].cash + _value(book, leg), close, terms):
            return
        reason, raw = _LIQUIDATION, close
    _leave(book, trades, legs, leg, raw, reason, terms)


@_compiled
def _sell_down(book, leg, raw, excess, terms):  # type: ignore[no-untyped-def]  # compiled
    """Sell units of a position (short: buy them back) that are worth `excess`."""
    now = book.positions[leg]
    units, side = excess / raw, now.side
    price = raw * (1 - side * terms.slippage)
    worth = side * (units * price * (1 - side * terms.fee))
    book.state[0].cash += worth
    now.paid -= worth
    now.locked *= 1 - units / now.units
    now.fee_paid += units * price * terms.fee
    now.units -= units
    book.traded[leg] += units * price


@_compiled
def _buy_up(book, leg, raw, budget, terms):  # type: ignore[no-untyped-def]  # compiled
    """Add to a position for `budget`."""
    now = book.positions[leg]
    side = now.side
    price = raw * (1 + side * terms.slippage)
    units = budget / (price * (1 + terms.fee))
    if side > 0:
        book.state[0].cash -= budget
        now.paid += budget
    else:
        brought = units * price * (1 - terms.fee)
        book.state[0].cash += brought
        now.paid += units * price * terms.fee - units * price
        now.locked += budget + brought
    now.price = (now.price * now.bought + price * units) / (now.bought + units)
    now.bought += units
    now.cost += budget
    now.fee_paid += units * price * terms.fee
    now.units += units
    book.traded[leg] += units * price


@_compiled
def _measure(values, book, leg, prices, shift):  # type: ignore[no-untyped-def]  # compiled
    """Return a measure at the close of the signal that a leg follows now; NaN where there is none."""
    strategies = len(book.taken)
    if not len(values):
        return np.nan
    return values[(leg % strategies) * len(prices) + book.at[leg // strategies] - shift]


@_compiled
def _rebalance(book, equity, prices, shift, orders, weights, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Bring positions to their targets: first those above, then those below."""
    strategies, held = len(weights), book.order[: book.state[0].open]
    missing = np.zeros(len(held))
    for place, leg in enumerate(held):
        crypto = leg // strategies
        if book.is_new[crypto]:
            volatility = _measure(orders.volatility, book, leg, prices, shift)
            target = _size(equity * weights[leg % strategies], volatility, plan, terms)
            distance = target - book.positions[leg].units * prices[book.at[crypto]]
            if target > 0 and abs(distance) > plan.threshold * target:
                missing[place] = distance
    for place, leg in enumerate(held):
        if missing[place] < 0:
            _sell_down(book, leg, prices[book.at[leg // strategies]], -missing[place], terms)
    for place, leg in enumerate(held):
        budget = min(missing[place], _free_cash(book)) if missing[place] > 0 else 0.0
        if budget > 0:
            _buy_up(book, leg, prices[book.at[leg // strategies]], budget, terms)


@_compiled
def _try_to_enter(book, leg, side, equity, prices, shift, market, orders, weights, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Open a position where there is a place, or count why there is none; return whether there is one."""
    strategy, crypto = leg % len(weights), leg // len(weights)
    share = equity * weights[strategy]
    size = _size(share, _measure(orders.volatility, book, leg, prices, shift), plan, terms)
    atr = _measure(orders.atr, book, leg, prices, shift)
    if not size > 0 or (len(orders.atr) and np.isnan(atr)):
        book.skipped[leg, _UNDEFINED_SIZE] += 1
        return False
    budget = min(size, _free_cash(book))
    if not budget >= _LEAST_SHARE * size:
        book.skipped[leg, _NO_CASH] += 1
        return False
    i = book.at[crypto]
    fill_s = market.time_s[i] + (0 if shift else terms.interval_s)
    _enter(book, leg, side, prices[i], i - book.offsets[crypto], fill_s, budget, atr, terms)
    return True


@_compiled
def _exit(book, trades, legs, sides, prices, shift, market, orders, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close what signals ask to close; write the sides that legs want to enter, and return how many do."""
    wants, strategies = 0, len(book.taken)
    for leg in range(len(sides)):
        sides[leg] = 0
        crypto = leg // strategies
        i = book.at[crypto]
        # No signal fills across a break.
        if not book.is_new[crypto] or (shift and (i == book.offsets[crypto] or market.ends[i - 1])):
            continue
        signal, side = (leg % strategies) * len(prices) + i - shift, int(book.positions[leg].side)
        buys, sells = orders.buy[signal], orders.sell[signal]
        wanted = _wanted(side, buys, sells, terms.may_long, terms.may_short)
        if wanted == side:
            continue
        if side != 0:
            _leave(book, trades, legs, leg, prices[i], _SIGNAL, terms)
        sides[leg] = wanted
        wants += wanted != 0
    return wants


@_compiled
def _by_rank(book, sides, wants, rank, shift):  # type: ignore[no-untyped-def]  # compiled
    """Return the legs that want to enter: higher ranks first, then in order; undefined ranks last."""
    candidates, keys, count = np.empty(wants, np.int64), np.empty(wants), 0
    for leg in range(len(sides)):
        if sides[leg] != 0:
            value = rank[book.at[leg // len(book.taken)] - shift] if len(rank) else np.nan
            candidates[count], keys[count] = leg, np.inf if np.isnan(value) else -value
            count += 1
    # Mergesort keeps the order of equal keys.
    return candidates[np.argsort(keys, kind="mergesort")]


@_compiled
def _fill_orders(book, trades, legs, sides, t, shift, market, orders, weights, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Fill the orders of a moment: at opens, of the closes before (`shift` 1), or at the same closes (0)."""
    prices = market.open if shift else market.close
    due = plan.every > 0 and t > 0 and t % plan.every == 0
    wants = _exit(book, trades, legs, sides, prices, shift, market, orders, terms)
    if not due and not wants:
        return
    equity = book.state[0].cash + _value(book)
    if due and equity > 0:
        _rebalance(book, equity, prices, shift, orders, weights, plan, terms)
    if not wants:
        return
    has_equity = equity > 0
    for leg in _by_rank(book, sides, wants, market.rank, shift):
        if not has_equity:
            book.skipped[leg, _NO_EQUITY] += 1
        elif book.taken[leg % len(weights)] >= plan.places:
            book.skipped[leg, _NO_PLACE] += 1
        elif _try_to_enter(
            book, leg, sides[leg], equity, prices, shift, market, orders, weights, plan, terms
        ):
            # Costs can take all of the equity; what is opened at an open sees that within its candle.
            now, raw = book.positions[leg], prices[book.at[leg // len(weights)]]
            if not shift and _is_ruined(now, book.state[0].cash + _value(book, leg), raw, terms):
                _leave(book, trades, legs, leg, raw, _LIQUIDATION, terms)
            has_equity = book.state[0].cash + _value(book) > 0


@_compiled
def _advance(book, t, step):  # type: ignore[no-untyped-def]  # compiled
    """Move each crypto that has a candle at the portfolio's candle t on to it."""
    for crypto in range(len(book.at)):
        i = book.at[crypto] + 1
        has_one = i < book.offsets[crypto + 1] and step[i] == t
        book.is_new[crypto] = has_one
        if has_one:
            book.at[crypto] = i


@_compiled
def _open_candle(book, market, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take the opens as prices, and charge positions for the gaps before them."""
    book.had[:] = False
    for leg in book.order[: book.state[0].open]:
        book.seen[leg] = book.had[leg] = True
        crypto = leg // len(book.taken)
        if book.is_new[crypto]:
            i, now = book.at[crypto], book.positions[leg]
            now.mark = market.open[i]
            if _has_carry(now, terms) and now.charged_s < market.time_s[i]:
                _charge(book, now, market.open[i], market.time_s[i], terms)


@_compiled
def _note_profits(book, profits, changes, had):  # type: ignore[no-untyped-def]  # compiled
    """Write how the profits of the cryptos changed since the last close, and which cryptos had a position."""
    for leg in range(len(profits)):
        if not book.seen[leg]:
            continue
        crypto, now, profit = leg // len(book.taken), book.positions[leg], book.realized[leg]
        if now.side != 0:
            profit += now.side * now.units * now.mark - now.paid - now.carry
        changes[crypto] += profit - profits[leg]
        profits[leg] = profit
        if book.had[leg]:
            had[crypto] = True
        book.seen[leg] = False


@_compiled
def _gross(book):  # type: ignore[no-untyped-def]  # compiled
    """Return the value of all positions, of short ones as a positive number."""
    gross = 0.0
    for leg in book.order[: book.state[0].open]:
        gross += book.positions[leg].units * book.positions[leg].mark
    return gross


@_compiled
def _close_ends(book, trades, legs, market, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close positions on cryptos that break off or end; the equity of this candle does not know it."""
    for leg in book.order[: book.state[0].open].copy():
        crypto = leg // len(book.taken)
        i = book.at[crypto]
        if book.positions[leg].side != 0 and book.is_new[crypto] and market.ends[i]:
            _leave(book, trades, legs, leg, market.close[i], _BREAK, terms)


@_compiled
def _write_open_trades(book, trades, legs):  # type: ignore[no-untyped-def]  # compiled
    """Write the positions that are open at the end as trades that end behind their cryptos' last candles."""
    state = book.state[0]
    for leg in book.order[: state.open]:
        crypto, now = leg // len(book.taken), book.positions[leg]
        length = book.offsets[crypto + 1] - book.offsets[crypto]
        worth = now.side * now.units * now.mark
        _record(now, trades[state.count], length, _NOT_CLOSED, np.nan, worth, 0.0)
        legs[state.count] = leg
        state.count += 1


@_compiled
def _with_room(trades, legs, count, room):  # type: ignore[no-untyped-def]  # compiled
    if count + room <= len(trades):
        return trades, legs
    larger, larger_legs = np.empty(2 * len(trades) + room, TRADE), np.empty(2 * len(trades) + room, np.int64)
    larger[:count] = trades[:count]
    larger_legs[:count] = legs[:count]
    return larger, larger_legs


@_compiled
def _new_book(offsets, legs, strategies, capital):  # type: ignore[no-untyped-def]  # compiled
    state = np.zeros(1, _STATE)
    state[0].cash = capital
    return _Book(
        state,
        np.zeros(legs, _POSITION),
        np.empty(legs, np.int64),
        offsets[:-1] - 1,
        np.zeros(len(offsets) - 1, np.bool_),
        np.zeros(strategies, np.int64),
        np.zeros(legs),
        np.zeros(legs),
        np.zeros((legs, _SKIP_REASONS), np.int64),
        np.zeros(legs, np.bool_),
        np.zeros(legs, np.bool_),
        offsets,
    )


# Columns may be read-only.
_PRICES = types.Array(types.float64, 1, "C", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_WHOLE = types.Array(types.int64, 1, "C", readonly=True)


# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
@njit(
    (
        *(_WHOLE, _PRICES, _PRICES, _PRICES, _PRICES, _WHOLE, _FLAGS, _WHOLE, _PRICES),
        *(_FLAGS, _FLAGS, _PRICES, _PRICES),
        *(_PRICES, types.int64, PLAN, TERMS),
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _trade_account(  # type: ignore[no-untyped-def]  # compiled
    time_s,
    open_,
    high,
    low,
    close,
    step,
    ends,
    offsets,
    rank,
    buy,
    sell,
    atr,
    volatility,
    weights,
    steps,
    plan,
    terms,
):
    market = MarketColumns(time_s, open_, high, low, close, step, ends, offsets, rank)
    orders = LegColumns(buy, sell, atr, volatility)
    cryptos = len(offsets) - 1
    count = len(weights) * cryptos
    book = _new_book(offsets, count, len(weights), terms.capital)
    state = book.state[0]
    equity, cash, exposure = np.empty(steps), np.empty(steps), np.empty(steps)
    positions, held = np.empty(steps, np.int64), 0
    changes, had = np.zeros((steps, cryptos)), np.zeros((steps, cryptos), np.bool_)
    sides, profits = np.zeros(count, np.int64), np.zeros(count)
    room = _MOST_EXITS * count
    trades, legs = np.empty(2 * room, TRADE), np.empty(2 * room, np.int64)
    for t in range(steps):
        trades, legs = _with_room(trades, legs, state.count, room)
        _advance(book, t, step)
        _open_candle(book, market, terms)
        if not terms.same_close:
            _fill_orders(book, trades, legs, sides, t, 1, market, orders, weights, plan, terms)
        for leg in book.order[: state.open].copy():
            if book.positions[leg].side != 0 and book.is_new[leg // len(weights)]:
                _live_through(book, trades, legs, leg, market, terms)
        if terms.same_close:
            _fill_orders(book, trades, legs, sides, t, 0, market, orders, weights, plan, terms)
        equity[t], cash[t], positions[t] = state.cash + _value(book), state.cash, state.open
        exposure[t] = _gross(book) / equity[t] if equity[t] > 0 else 0.0
        held += state.open > 0
        _note_profits(book, profits, changes[t], had[t])
        _close_ends(book, trades, legs, market, terms)
    trades, legs = _with_room(trades, legs, state.count, room)
    _write_open_trades(book, trades, legs)
    found = trades[: state.count], legs[: state.count]
    return equity, cash, exposure, positions, *found, held, book.traded, book.skipped, changes, had
