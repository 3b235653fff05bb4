"""The account: one pass over time that trades the signals of many cryptos with one capital, compiled.

docs/portfolios.md defines what happens, in which order; `simulation` does the same for one crypto. All of it
is in one file, however long: Numba keeps machine code on disk until the file of the function changes, and
does not look at the files of the functions that it calls. Split, the pass would go on with old code after a
change of a part of it. Tests hold the arithmetic of fills to that of `simulation`, bit by bit.

A year of a market has millions of closes. The pass looks at those of legs with a position and of legs that
ask for one. Its functions get records and addresses, not arrays: Numba counts who holds an array, and that
took most of the time.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import extending, from_dtype, njit, types
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn
from backcast_engine.portfolio.columns import CRYPTO, CRYPTOS, LEG, LEGS, PRICES, SIDES, WHOLE, MarketColumns
from backcast_engine.terms import TERMS, TRADE, Terms, TradeColumns

_YEAR_S = 365 * 86_400
# Numbers of ExitReason, as constants for compiled code.
_NOT_CLOSED, _SIGNAL, _STOP_LOSS, _TRAILING_STOP, _TAKE_PROFIT, _LIQUIDATION, _BREAK = range(7)
# Numbers of SkipReason.
_NO_EQUITY, _NO_PLACE, _UNDEFINED_SIZE, _NO_CASH = range(4)
_SKIP_REASONS = 4
_NOT_SKIPPED = -1
# An entry that gets less than this share of its size is none.
_LEAST_SHARE = 0.01
# How often a leg can be closed at one of the portfolio's candles: at its open, within it, and at its close.
_MOST_EXITS = 3


class Plan(NamedTuple):
    """How the account is divided, and what is reported of it, in the form for compiled code.

    `every` is 0 without rebalancing. The profits of the cryptos are only noted where that is asked for.
    """

    places: int
    equal: bool
    every: int
    threshold: float
    notes_profits: bool


PLAN = types.NamedTuple(  # type: ignore[no-untyped-call]
    (types.int64, types.boolean, types.int64, types.float64, types.boolean), Plan
)


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the account in a window of n candles of the portfolio, with k trades and L legs.

    Of shape (n,): `equity`, `cash` and `exposure` are float64, `positions` is int64. `trades` are records of
    dtype TRADE, shape (k,), whose entries and exits count the candles of their own crypto; `legs` is int64 of
    shape (k,). `held` is the number of closes at which a position was open. Of shape (L,): `traded` is the
    value of all fills, float64; `skipped`, of shape (L, 4), counts skipped entries by reason. Of shape (n,
    cryptos), or without candles where they are not noted: `changes` is how the profit of a crypto's positions
    changed in a candle, and `had` whether it had any.
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


def trade_account(market: MarketColumns, weights: PriceColumn, plan: Plan, terms: Terms) -> Account:
    """Trade the signals of all legs with one account, in a market that nothing was traded in.

    `weights` is float64 of shape (strategies,).
    """
    legs, strategies = len(market.legs), len(weights)
    order = np.empty((2, legs), np.int64)
    skipped = np.zeros((_SKIP_REASONS, strategies, len(market.cryptos)), np.int64)
    book = np.zeros(1, _BOOK)
    book["cash"] = terms.capital
    taken = np.zeros(strategies, np.int64)
    traded = _trade_account(*market, weights, book, order, taken, skipped, plan, terms)
    equity, cash, exposure, positions, trades, traders, held, changes, had = traded
    return Account(
        *(equity, cash, exposure, positions, trades, traders, held),
        market.legs["traded"].copy(),
        skipped.transpose(2, 1, 0).reshape(legs, _SKIP_REASONS),
        changes,
        had,
    )


# The cash, how many positions are open, and how many trades are recorded; and the addresses of all else:
# `order` are the legs with an open position in ascending order, `reviewed` is for going through them while
# they change, `taken` are the places of each strategy, `sides` those of the present candle.
_BOOK = np.dtype(
    [("cash", np.float64)]
    + [
        (name, np.int64)
        for name in (
            *("open", "count", "strategies", "crypto_count", "is_measured"),
            *("time_s", "cryptos", "legs", "sides", "weights"),
            *("order", "reviewed", "taken", "skipped", "trades", "traders"),
        )
    ]
)
_CRYPTO_SIZE, _LEG_SIZE, _TRADE_SIZE = CRYPTO.itemsize, LEG.itemsize, TRADE.itemsize


# What it makes is called with other arguments than its type says.
_intrinsic: Any = extending.intrinsic


def _as_pointer(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # of Numba
    return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))


@_intrinsic
def _prices(context, address):  # type: ignore[no-untyped-def]  # compiled
    """Return the float64 column that is at an address."""
    return types.CPointer(types.float64)(types.int64), _as_pointer  # type: ignore[no-untyped-call]


@_intrinsic
def _numbers(context, address):  # type: ignore[no-untyped-def]  # compiled
    """Return the int64 column that is at an address."""
    return types.CPointer(types.int64)(types.int64), _as_pointer  # type: ignore[no-untyped-call]


@_intrinsic
def _bytes(context, address):  # type: ignore[no-untyped-def]  # compiled
    """Return the int8 column, or flags, that are at an address."""
    return types.CPointer(types.int8)(types.int64), _as_pointer  # type: ignore[no-untyped-call]


@_intrinsic
def _crypto_at(context, address):  # type: ignore[no-untyped-def]  # compiled
    return from_dtype(CRYPTO)(types.int64), _as_pointer


@_intrinsic
def _leg_at(context, address):  # type: ignore[no-untyped-def]  # compiled
    return from_dtype(LEG)(types.int64), _as_pointer


@_intrinsic
def _trade_at(context, address):  # type: ignore[no-untyped-def]  # compiled
    return from_dtype(TRADE)(types.int64), _as_pointer


# As NumPy computes: a division by zero gives infinity or NaN, and raises nothing.
_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _crypto(book, crypto):  # type: ignore[no-untyped-def]  # compiled
    return _crypto_at(book.cryptos + crypto * _CRYPTO_SIZE)


@_compiled
def _leg(book, leg):  # type: ignore[no-untyped-def]  # compiled
    return _leg_at(book.legs + leg * _LEG_SIZE)


@_compiled
def _open_leg(book, place):  # type: ignore[no-untyped-def]  # compiled
    """Return the leg with an open position at a place in their order."""
    return _leg(book, _numbers(book.order)[place])


@_compiled
def _sides(book, strategy):  # type: ignore[no-untyped-def]  # compiled
    """Return the sides that a strategy asks for at the present candle, of all cryptos."""
    return _bytes(book.sides + strategy * book.crypto_count)


@_compiled
def _wanted(side, asks, may_long, may_short):  # type: ignore[no-untyped-def]  # compiled
    """Return the side that a leg with a position wants, which `asks` for the other side or does not."""
    if not asks:
        return side
    return (-1 if may_short else 0) if side > 0 else (1 if may_long else 0)


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
def _equity(book):  # type: ignore[no-untyped-def]  # compiled
    """Return the cash and the value of all positions at their present prices."""
    value = 0.0
    for place in range(book.open):
        now = _open_leg(book, place)
        value += now.side * now.units * now.mark
    return book.cash + value


@_compiled
def _backing(book, now):  # type: ignore[no-untyped-def]  # compiled
    """Return what backs a position: the cash, and the value of all others at their present prices."""
    value = 0.0
    for place in range(book.open):
        other = _open_leg(book, place)
        if other.crypto != now.crypto or other.strategy != now.strategy:
            value += other.side * other.units * other.mark
    return book.cash + value


@_compiled
def _free_cash(book):  # type: ignore[no-untyped-def]  # compiled
    locked = 0.0
    for place in range(book.open):
        locked += _open_leg(book, place).locked
    return book.cash - locked


@_compiled
def _review(book):  # type: ignore[no-untyped-def]  # compiled
    """Return the legs with an open position, and how many; what is returned stays when they change."""
    order, reviewed = _numbers(book.order), _numbers(book.reviewed)
    for place in range(book.open):
        reviewed[place] = order[place]
    return reviewed, book.open


@_compiled
def _number_of(book, now):  # type: ignore[no-untyped-def]  # compiled
    return now.crypto * book.strategies + now.strategy


@_compiled
def _put_in_order(book, now):  # type: ignore[no-untyped-def]  # compiled
    """Put a leg among those with an open position."""
    order, leg, place = _numbers(book.order), _number_of(book, now), book.open
    while place > 0 and order[place - 1] > leg:
        order[place] = order[place - 1]
        place -= 1
    order[place] = leg
    book.open += 1
    _numbers(book.taken)[now.strategy] += 1
    now.is_seen = now.had_position = 1


@_compiled
def _take_out_of_order(book, now):  # type: ignore[no-untyped-def]  # compiled
    order, leg, place = _numbers(book.order), _number_of(book, now), 0
    while order[place] != leg:
        place += 1
    book.open -= 1
    for i in range(place, book.open):
        order[i] = order[i + 1]
    _numbers(book.taken)[now.strategy] -= 1
    now.is_seen = 1
    now.side, now.units, now.locked = 0.0, 0.0, 0.0


@_compiled
def _enter(book, now, side, raw, index, time_s, budget, atr, terms):  # type: ignore[no-untyped-def]  # compiled
    price = raw * (1 + side * terms.slippage)
    now.side, now.price, now.since, now.cost, now.mark = side, price, index, budget, raw
    now.units = budget / (price * (1 + terms.fee))
    now.fee_paid, now.carry, now.charged_s = now.units * price * terms.fee, 0.0, time_s
    now.best, now.atr, now.bought = price, atr, now.units
    now.stop = _level(price, -side, terms.stop_fraction, terms.stop_atr, atr)
    now.profit = _level(price, side, terms.profit_fraction, terms.profit_atr, atr)
    now.trail = _level(price, -side, terms.trail_fraction, terms.trail_atr, atr)
    if side > 0:
        book.cash -= budget
        now.paid, now.locked = budget, 0.0
    else:
        brought = now.units * price * (1 - terms.fee)
        book.cash += brought
        now.paid, now.locked = now.fee_paid - now.units * price, budget + brought
    now.traded += now.units * price
    _put_in_order(book, now)


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
def _record(book, now, index, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    """Record a position as a trade whose closing adds `worth` to the cash; return its profit."""
    trade = _trade_at(book.trades + book.count * _TRADE_SIZE)
    trade.entry, trade.exit, trade.reason = now.since, index, reason
    trade.units, trade.cost = now.side * now.units, now.cost
    trade.entry_price, trade.exit_price = now.price, exit_price
    trade.profit = worth - now.paid - now.carry
    trade.fees = now.fee_paid + exit_fee
    trade.borrow, trade.funding = (now.carry, 0.0) if now.side < 0 else (0.0, now.carry)
    _numbers(book.traders)[book.count] = _number_of(book, now)
    book.count += 1
    return trade.profit


@_compiled
def _close(book, now, reason, exit_price, worth, exit_fee):  # type: ignore[no-untyped-def]  # compiled
    index = _crypto(book, now.crypto).at
    now.realized += _record(book, now, index, reason, exit_price, worth, exit_fee)
    book.cash += worth
    now.traded += now.units * exit_price
    _take_out_of_order(book, now)


@_compiled
def _leave(book, now, raw, reason, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close a position at the raw price; where that takes all of the equity, the account is closed."""
    backing = _backing(book, now)
    worth = _closing_worth(now, raw, terms)
    is_gone = reason == _LIQUIDATION or backing + worth < 0
    if is_gone:
        # A price that opened beyond the liquidation too: no more than everything can be lost.
        reason, worth = _LIQUIDATION, -backing
    exit_price = raw * (1 - now.side * terms.slippage)
    _close(book, now, reason, exit_price, worth, now.units * exit_price * terms.fee)
    if is_gone:
        while book.open:
            left = _open_leg(book, 0)
            worth = left.side * left.units * left.mark
            _close(book, left, _LIQUIDATION, left.mark, worth, 0.0)
        book.cash = 0.0


@_compiled
def _has_carry(now, terms):  # type: ignore[no-untyped-def]  # compiled
    return now.side < 0 or (now.side > 0 and terms.funding_rate != 0)


@_compiled
def _charge(book, now, raw, time_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take from the cash what a position's borrowing or funding has cost since it was last charged."""
    rate = terms.borrow_rate if now.side < 0 else terms.funding_rate
    cost = now.units * raw * rate * ((time_s - now.charged_s) / _YEAR_S)
    book.cash -= cost
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
def _live_through(book, now, close_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take a position through the present candle of its crypto, where stops or liquidation can close it."""
    noted = _crypto(book, now.crypto)
    i = noted.at
    close, high, low = _prices(noted.close)[i], _prices(noted.high)[i], _prices(noted.low)[i]
    reason, raw = _touched(now, _backing(book, now), _prices(noted.open)[i], high, low, terms)
    if reason == _NOT_CLOSED:
        if not np.isnan(now.trail):
            now.best = max(now.best, high) if now.side > 0 else min(now.best, low)
            now.trail = _level(now.best, -now.side, terms.trail_fraction, terms.trail_atr, now.atr)
        now.mark = close
        if not _has_carry(now, terms):
            return
        _charge(book, now, close, close_s, terms)
        if not _is_ruined(now, _backing(book, now), close, terms):
            return
        reason, raw = _LIQUIDATION, close
    _leave(book, now, raw, reason, terms)


@_compiled
def _close_candle(book, close_s, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take all positions through the present candle, each one on a crypto that has it."""
    if terms.needs_range:
        legs, count = _review(book)
        for place in range(count):
            now = _leg(book, legs[place])
            # It can have been liquidated along with another.
            if now.side != 0 and now.is_new:
                _live_through(book, now, close_s, terms)
        return
    for place in range(book.open):
        now = _open_leg(book, place)
        if now.is_new:
            noted = _crypto(book, now.crypto)
            now.mark = _prices(noted.close)[noted.at]


@_compiled
def _sell_down(book, now, raw, excess, terms):  # type: ignore[no-untyped-def]  # compiled
    """Sell units of a position (short: buy them back) that are worth `excess`."""
    units, side = excess / raw, now.side
    price = raw * (1 - side * terms.slippage)
    worth = side * (units * price * (1 - side * terms.fee))
    book.cash += worth
    now.paid -= worth
    now.locked *= 1 - units / now.units
    now.fee_paid += units * price * terms.fee
    now.units -= units
    now.traded += units * price


@_compiled
def _buy_up(book, now, raw, budget, terms):  # type: ignore[no-untyped-def]  # compiled
    """Add to a position for `budget`."""
    side = now.side
    price = raw * (1 + side * terms.slippage)
    units = budget / (price * (1 + terms.fee))
    if side > 0:
        book.cash -= budget
        now.paid += budget
    else:
        brought = units * price * (1 - terms.fee)
        book.cash += brought
        now.paid += units * price * terms.fee - units * price
        now.locked += budget + brought
    now.price = (now.price * now.bought + price * units) / (now.bought + units)
    now.bought += units
    now.cost += budget
    now.fee_paid += units * price * terms.fee
    now.units += units
    now.traded += units * price


@_compiled
def _value_of(column, i):  # type: ignore[no-untyped-def]  # compiled
    """Return a value of the column at an address; NaN where there is none."""
    return _prices(column)[i] if column else np.nan


@_compiled
def _missing(book, now, equity, shift, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return how far a position is below its target; 0 if it is left alone."""
    if not now.is_new:
        return 0.0
    volatility = _value_of(now.volatility_column, _crypto(book, now.crypto).at - shift)
    target = _size(equity * _prices(book.weights)[now.strategy], volatility, plan, terms)
    distance = target - now.units * now.mark
    return distance if target > 0 and abs(distance) > plan.threshold * target else 0.0


@_compiled
def _rebalance(book, equity, shift, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Bring positions to their targets: first those above, then those below."""
    for place in range(book.open):
        now = _open_leg(book, place)
        now.missing = _missing(book, now, equity, shift, plan, terms)
    for place in range(book.open):
        now = _open_leg(book, place)
        if now.missing < 0:
            _sell_down(book, now, now.mark, -now.missing, terms)
    for place in range(book.open):
        now = _open_leg(book, place)
        budget = min(now.missing, _free_cash(book)) if now.missing > 0 else 0.0
        if budget > 0:
            _buy_up(book, now, now.mark, budget, terms)


@_compiled
def _exit(book, shift, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close what signals ask to close. Of legs with a position, write the sides that they now ask for."""
    legs, count = _review(book)
    for place in range(count):
        now = _leg(book, legs[place])
        # A leg that was liquidated along with another has no position, and asks as those without one do.
        if now.side == 0 or not now.is_new:
            continue
        side, i = int(now.side), _crypto(book, now.crypto).at - shift
        asks = _bytes(now.sell if side > 0 else now.buy)[i] != 0
        wanted = _wanted(side, asks, terms.may_long, terms.may_short)
        _sides(book, now.strategy)[now.crypto] = 0 if wanted == side else wanted
        if wanted != side:
            _leave(book, now, now.mark, _SIGNAL, terms)


@_compiled
def _reach(book, crypto, t):  # type: ignore[no-untyped-def]  # compiled
    """Return the candle that a crypto has at the portfolio's candle t."""
    noted = _crypto(book, crypto)
    step, low = _numbers(noted.step), noted.at
    # It is this one, or one before where there were gaps since it was last looked at.
    i = min(low + t - step[low], noted.candle_count - 1)
    while step[i] != t:
        middle = (low + i) // 2
        if step[middle] < t:
            low = middle + 1
        else:
            i = middle
    noted.at = i
    return i


@_compiled
def _has_any(sides, count):  # type: ignore[no-untyped-def]  # compiled
    found = 0
    for i in range(count):
        found |= sides[i]
    return found != 0


@_compiled
def _skip_reason(book, strategy, equity, has_equity, free, volatility, atr, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return why an entry cannot be made now (_NOT_SKIPPED: it can), and what it gets."""
    if not has_equity:
        return _NO_EQUITY, 0.0
    if _numbers(book.taken)[strategy] >= plan.places:
        return _NO_PLACE, 0.0
    size = _size(equity * _prices(book.weights)[strategy], volatility, plan, terms)
    if not size > 0 or np.isnan(atr):
        return _UNDEFINED_SIZE, 0.0
    budget = min(size, free)
    if not budget >= _LEAST_SHARE * size:
        return _NO_CASH, 0.0
    return _NOT_SKIPPED, budget


@_compiled
def _measures(now, i):  # type: ignore[no-untyped-def]  # compiled
    """Return volatility and average true range at a candle; the latter is not NaN where none is needed."""
    return _value_of(now.volatility_column, i), _prices(now.atr_column)[i] if now.atr_column else 0.0


@_compiled
def _skips(book, reason, strategy):  # type: ignore[no-untyped-def]  # compiled
    """Return how many entries of a strategy were skipped for a reason so far, of all cryptos."""
    return _numbers(book.skipped + 8 * (reason * book.strategies + strategy) * book.crypto_count)


@_compiled
def _common_reason(book, strategy, equity, free, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return why no entry of a strategy can be made; _NOT_SKIPPED if one can, or measures can differ."""
    reason, _ = _skip_reason(book, strategy, equity, equity > 0, free, np.nan, 0.0, plan, terms)
    if book.is_measured and reason in (_UNDEFINED_SIZE, _NO_CASH):
        return _NOT_SKIPPED
    return reason


@_compiled
def _are_all_skipped(book, equity, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Return whether all entries are skipped for a reason that they have in common; if so, count them.

    Mostly there is no place or no cash, and as nobody enters, that stays so for all: ranks do not matter.
    """
    free = _free_cash(book)
    for strategy in range(book.strategies):
        asks = _has_any(_sides(book, strategy), book.crypto_count)
        if asks and _common_reason(book, strategy, equity, free, plan, terms) == _NOT_SKIPPED:
            return False
    for strategy in range(book.strategies):
        reason = _common_reason(book, strategy, equity, free, plan, terms)
        if reason != _NOT_SKIPPED:
            sides, skips = _sides(book, strategy), _skips(book, reason, strategy)
            for crypto in range(book.crypto_count):
                skips[crypto] += sides[crypto] != 0
    return True


@_compiled
def _by_rank(book, t, shift):  # type: ignore[no-untyped-def]  # compiled
    """Return the legs that want to enter: higher ranks first, then in order; undefined ranks last."""
    legs, count = book.crypto_count * book.strategies, 0
    candidates, keys = np.empty(legs, np.int64), np.empty(legs)
    for crypto in range(book.crypto_count):
        for strategy in range(book.strategies):
            if _sides(book, strategy)[crypto] != 0:
                rank = _value_of(_crypto(book, crypto).rank, _reach(book, crypto, t) - shift)
                candidates[count] = crypto * book.strategies + strategy
                keys[count] = np.inf if np.isnan(rank) else -rank
                count += 1
    # Mergesort keeps the order of equal keys.
    return candidates[np.argsort(keys[:count], kind="mergesort")]


@_compiled
def _enter_by_rank(book, t, shift, equity, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Open positions where there are places and cash, or count why there are none."""
    fill_s = _numbers(book.time_s)[t] + (0 if shift else terms.interval_s)
    has_equity = equity > 0
    for leg in _by_rank(book, t, shift):
        now = _leg(book, leg)
        noted = _crypto(book, now.crypto)
        i, free = noted.at, _free_cash(book)
        volatility, atr = _measures(now, i - shift)
        reason, budget = _skip_reason(
            book, now.strategy, equity, has_equity, free, volatility, atr, plan, terms
        )
        if reason != _NOT_SKIPPED:
            _skips(book, reason, now.strategy)[now.crypto] += 1
            continue
        raw = _prices(noted.open if shift else noted.close)[i]
        side = int(_sides(book, now.strategy)[now.crypto])
        now.is_new, now.until = 1, _end_from(noted, i)
        _enter(book, now, side, raw, i, fill_s, budget, atr, terms)
        # Costs can take all of the equity; what is opened at an open sees that within its candle.
        if not shift and _is_ruined(now, _backing(book, now), raw, terms):
            _leave(book, now, raw, _LIQUIDATION, terms)
        has_equity = _equity(book) > 0


@_compiled
def _end_from(noted, i):  # type: ignore[no-untyped-def]  # compiled
    """Return the first candle from i on after which positions on a crypto are closed; -1 if there is none."""
    ends = _numbers(noted.ends)
    for place in range(noted.end_count):
        if ends[place] >= i:
            return ends[place]
    return -1


@_compiled
def _fill_orders(book, t, shift, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    """Fill the orders of a moment: at opens, of the closes before (`shift` 1), or at the same closes (0)."""
    _exit(book, shift, terms)
    due = plan.every > 0 and t > 0 and t % plan.every == 0
    wants = _has_any(_bytes(book.sides), book.strategies * book.crypto_count)
    if not due and not wants:
        return
    equity = _equity(book)
    if due and equity > 0:
        _rebalance(book, equity, shift, plan, terms)
    if wants and not _are_all_skipped(book, equity, plan, terms):
        _enter_by_rank(book, t, shift, equity, plan, terms)


@_compiled
def _open_candle(book, t, terms):  # type: ignore[no-untyped-def]  # compiled
    """Take the opens as prices, and charge positions for the gaps before them."""
    time_s = _numbers(book.time_s)[t]
    for place in range(book.open):
        now = _open_leg(book, place)
        noted = _crypto(book, now.crypto)
        step = _numbers(noted.step)
        if noted.at + 1 < noted.candle_count and step[noted.at + 1] == t:
            noted.at += 1
        now.is_seen, now.had_position, now.is_new = 1, 1, step[noted.at] == t
        if now.is_new:
            now.mark = _prices(noted.open)[noted.at]
            if _has_carry(now, terms) and now.charged_s < time_s:
                _charge(book, now, now.mark, time_s, terms)


@_compiled
def _note_profits(book, changes, had):  # type: ignore[no-untyped-def]  # compiled
    """Write how the profits of the cryptos changed since the last close, and which cryptos had a position."""
    for leg in range(book.crypto_count * book.strategies):
        now = _leg(book, leg)
        if now.is_seen:
            profit = now.realized
            if now.side != 0:
                profit += now.side * now.units * now.mark - now.paid - now.carry
            changes[now.crypto] += profit - now.noted_profit
            now.noted_profit = profit
            if now.had_position:
                had[now.crypto] = True
            now.is_seen = now.had_position = 0


@_compiled
def _exposure(book, equity):  # type: ignore[no-untyped-def]  # compiled
    """Return the value of all positions, of short ones as a positive number, in the equity."""
    gross = 0.0
    for place in range(book.open):
        now = _open_leg(book, place)
        gross += now.units * now.mark
    return gross / equity if equity > 0 else 0.0


@_compiled
def _close_ends(book, terms):  # type: ignore[no-untyped-def]  # compiled
    """Close positions on cryptos that break off or end; the equity of this candle does not know it."""
    legs, count = _review(book)
    for place in range(count):
        now = _leg(book, legs[place])
        if now.side != 0 and now.is_new and _crypto(book, now.crypto).at == now.until:
            _leave(book, now, now.mark, _BREAK, terms)


@_compiled
def _record_open_trades(book):  # type: ignore[no-untyped-def]  # compiled
    """Record the positions that are open at the end as trades that end behind their cryptos' last candles."""
    for place in range(book.open):
        now = _open_leg(book, place)
        worth, end = now.side * now.units * now.mark, _crypto(book, now.crypto).candle_count
        _record(book, now, end, _NOT_CLOSED, np.nan, worth, 0.0)


@_compiled
def _with_room(book, trades, traders, room):  # type: ignore[no-untyped-def]  # compiled
    """Return the records of trades with room for so many more."""
    if book.count + room <= len(trades):
        return trades, traders
    larger, larger_traders = (
        np.empty(2 * len(trades) + room, TRADE),
        np.empty(2 * len(trades) + room, np.int64),
    )
    larger[: book.count] = trades[: book.count]
    larger_traders[: book.count] = traders[: book.count]
    book.trades, book.traders = larger.ctypes.data, larger_traders.ctypes.data
    return larger, larger_traders


# A signature makes this compile at import, once for all processes: the machine code is cached on disk.
@njit(
    (
        *(WHOLE, CRYPTOS, LEGS, SIDES, PRICES, types.Array(from_dtype(_BOOK), 1, "C")),
        *(types.int64[:, ::1], types.int64[::1], types.int64[:, :, ::1], PLAN, TERMS),
    ),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _trade_account(time_s, cryptos, legs, sides, weights, books, order, taken, skipped, plan, terms):  # type: ignore[no-untyped-def]  # compiled
    steps, book = len(time_s), books[0]
    book.strategies, book.crypto_count = len(weights), len(cryptos)
    book.is_measured = legs[0].volatility_column != 0 or legs[0].atr_column != 0
    book.time_s, book.weights = time_s.ctypes.data, weights.ctypes.data
    book.cryptos, book.legs = cryptos.ctypes.data, legs.ctypes.data
    book.order, book.reviewed = order[0].ctypes.data, order[1].ctypes.data
    book.taken, book.skipped = taken.ctypes.data, skipped.ctypes.data
    equity, cash, exposure = np.empty(steps), np.empty(steps), np.empty(steps)
    positions, held, room = np.empty(steps, np.int64), 0, _MOST_EXITS * len(legs)
    noted = (steps if plan.notes_profits else 0, len(cryptos))
    changes, had = np.zeros(noted), np.zeros(noted, np.bool_)
    trades, traders = np.empty(0, TRADE), np.empty(0, np.int64)
    for t in range(steps):
        trades, traders = _with_room(book, trades, traders, room)
        book.sides = sides[t].ctypes.data
        _open_candle(book, t, terms)
        if not terms.same_close:
            _fill_orders(book, t, 1, plan, terms)
        _close_candle(book, time_s[t] + terms.interval_s, terms)
        if terms.same_close:
            _fill_orders(book, t, 0, plan, terms)
        equity[t] = _equity(book)
        cash[t], exposure[t], positions[t] = book.cash, _exposure(book, equity[t]), book.open
        held += book.open > 0
        if plan.notes_profits:
            _note_profits(book, changes[t], had[t])
        _close_ends(book, terms)
    trades, traders = _with_room(book, trades, traders, room)
    _record_open_trades(book)
    count = book.count
    return equity, cash, exposure, positions, trades[:count], traders[:count], held, changes, had
