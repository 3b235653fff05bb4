"""Signals to fills, trades and equity, candle by candle: `simulation`'s description as one plain loop."""

import math
from dataclasses import dataclass, field
from typing import Any

from backcast_engine import Direction, ExitReason, FillTime

YEAR_S = 365 * 86_400


@dataclass
class Position:
    """From an entry to its exit; `exit` is None while open. Both are indices into the window."""

    side: int  # 1 long, -1 short
    entry: int
    entry_price: float
    units: float
    cost: float
    entry_fee: float
    charged_until_s: int
    best: float
    stop: float | None = None
    profit_level: float | None = None
    trail: float | None = None
    trail_reach: float | None = None
    carry: float = 0.0
    exit: int | None = None
    exit_price: float | None = None
    exit_fee: float = 0.0
    reason: ExitReason = ExitReason.NOT_CLOSED
    # What closing it has added to the cash, or would add at the last close without costs.
    worth: float = 0.0
    # The highs and lows of the candles that it was held through.
    seen: list[float] = field(default_factory=list)

    @property
    def profit(self) -> float:
        if self.side > 0:
            return self.worth - self.cost - self.carry
        return self.units * self.entry_price - self.entry_fee + self.worth - self.carry

    @property
    def borrowed(self) -> float:
        return self.carry if self.side < 0 else 0.0

    @property
    def funded(self) -> float:
        return self.carry if self.side > 0 else 0.0

    @property
    def return_fraction(self) -> float:
        return self.profit / self.cost

    @property
    def excursions(self) -> tuple[float, float]:
        """How far the price went against it, and in its favour."""
        prices = [self.entry_price, *self.seen]
        if self.exit_price is not None:
            prices.append(self.exit_price)
        moves = [self.side * (price / self.entry_price - 1) for price in prices]
        return min(moves), max(moves)


@dataclass
class Fills:
    """What happened; `clearance` is how far prices stayed off the levels that decide, relatively.

    `own` is the smallest share until each close that the equity had in the money that was there, a short's
    proceeds included: rounding of all of it is in what is left.
    """

    equity: list[float]
    own: list[float]
    positions: list[Position]
    clearance: float
    cash: float


def trade(candles, buy, sell, execution, interval_s, atr, volatility, cash, *, breaks_off):
    """Trade signals on candles (an object with lists time_s, open, high, low, close), beginning with `cash`.

    Where the history breaks off after them, the last close closes what is open.
    """
    account = _Account(execution, interval_s, atr, volatility, cash)
    return account.run(candles, buy, sell, breaks_off)


class _Account:
    def __init__(self, execution, interval_s, atr, volatility, cash):
        self.terms, self.interval_s = execution, interval_s
        self.atr, self.volatility = atr, volatility
        self.fee, self.slippage = execution.fee_rate, execution.slippage_bps / 10_000
        self.cash = cash
        self.held = None
        self.positions = []
        self.clearance = math.inf

    def run(self, candles, buy, sell, breaks_off):
        at_close = self.terms.fill_time is FillTime.SAME_CLOSE
        equity, own, share = [], [], 1.0
        for t in range(len(candles.close)):
            time_s, open_, close = candles.time_s[t], candles.open[t], candles.close[t]
            self.charge(open_, time_s)
            if t > 0 and not at_close:
                self.obey(buy[t - 1], sell[t - 1], t - 1, t, open_, time_s)
            if self.held is not None:
                self.live_through(t, open_, candles.high[t], candles.low[t], close, time_s + self.interval_s)
            if at_close:
                self.obey(buy[t], sell[t], t, t, close, time_s + self.interval_s)
                if self.held is not None:
                    self.liquidate_at(close, t)
            value = 0.0 if self.held is None else self.held.side * self.held.units * close
            equity.append(self.cash + value)
            if equity[-1] > 0:
                share = min(share, equity[-1] / (self.cash + abs(value)))
            own.append(share)
        if self.held is not None and breaks_off:
            self.leave(len(candles.close) - 1, candles.close[-1], ExitReason.BREAK)
        elif self.held is not None:
            self.held.worth = self.held.side * self.held.units * candles.close[-1]
        return Fills(equity, own, self.positions, self.clearance, self.cash)

    def obey(self, buy, sell, signal, t, price, time_s):
        side = 0 if self.held is None else self.held.side
        longs = self.terms.direction is not Direction.SHORT_ONLY
        shorts = self.terms.direction is not Direction.LONG_ONLY
        if side == 0:
            wanted = 1 if buy and longs else -1 if sell and shorts else 0
        elif side > 0:
            wanted = 1 if not sell else -1 if shorts else 0
        else:
            wanted = -1 if not buy else 1 if longs else 0
        if wanted == side:
            return
        if side != 0:
            self.leave(t, price, ExitReason.SIGNAL)
        if wanted != 0:
            self.enter(wanted, signal, t, price, time_s)

    def enter(self, side, signal, t, raw, time_s):
        budget = self.budget(signal)
        if not budget > 0:
            return
        price = raw * (1 + side * self.slippage)
        levels: list[Any] = []
        for distance, towards in (
            (self.terms.stop_loss, -side),
            (self.terms.take_profit, side),
            (self.terms.trailing_stop, -side),
        ):
            if distance is None:
                levels.append(None)
            elif distance.fraction is not None:
                levels.append(price * (1 + towards * distance.fraction))
            elif self.atr[signal] is None:
                return
            else:
                levels.append(price + towards * distance.atr_multiple * self.atr[signal])
        units = budget / (price * (1 + self.fee))
        entry_fee = units * price * self.fee
        if side > 0:
            self.cash -= budget
        else:
            self.cash += units * price - entry_fee
        self.held = Position(side, t, price, units, budget, entry_fee, time_s, price, *levels)
        if self.terms.trailing_stop is not None and self.terms.trailing_stop.atr_multiple is not None:
            self.held.trail_reach = self.terms.trailing_stop.atr_multiple * self.atr[signal]
        self.positions.append(self.held)

    def budget(self, signal):
        if self.cash <= 0:
            return 0.0
        if self.terms.quote_amount is not None:
            return min(self.cash, self.terms.quote_amount)
        if self.terms.volatility_target is not None:
            volatility = self.volatility[signal]
            if volatility is None or volatility == 0:
                return 0.0
            return self.cash * min(1.0, self.terms.volatility_target.annual_volatility / volatility)
        return self.cash * self.terms.equity_fraction

    def leave(self, t, raw, reason):
        held = self.held
        held.exit, held.reason = t, reason
        held.exit_price = raw * (1 - held.side * self.slippage)
        held.exit_fee = held.units * held.exit_price * self.fee
        held.worth = held.side * held.units * held.exit_price - held.exit_fee
        if (held.side < 0 or self.cash < 0) and reason is not ExitReason.LIQUIDATION:
            self.watch(self.cash, -held.worth)
        if self.cash + held.worth < 0 or reason is ExitReason.LIQUIDATION:
            # No more than everything can be lost.
            held.reason, held.worth = ExitReason.LIQUIDATION, -self.cash
        self.cash += held.worth
        self.held = None

    def live_through(self, t, open_, high, low, close, close_s):
        """Take the position through a candle: the open comes first, then the stop, then the profit."""
        held = self.held
        worst, best = (low, high) if held.side > 0 else (high, low)
        stop, reason = self.nearest_stop()
        target = held.profit_level
        self.watch(open_, stop, target)
        self.watch(worst, stop)
        self.watch(best, target)
        if self.reached(open_, target):
            self.leave(t, open_, ExitReason.TAKE_PROFIT)
        elif self.fallen(open_, stop):
            self.leave(t, open_, reason)
        elif self.fallen(worst, stop):
            self.leave(t, stop, reason)
        elif self.reached(best, target):
            self.leave(t, target, ExitReason.TAKE_PROFIT)
        else:
            # Only now: for the next candle.
            self.pull_trail(high, low)
            self.charge(close, close_s)
            self.liquidate_at(close, t)
        if self.held is not None:
            held.seen += [high, low]

    def nearest_stop(self):
        """Return the stop that is nearest to the price: a long position's highest, a short one's lowest."""
        held = self.held
        stops = [(held.stop, ExitReason.STOP_LOSS), (held.trail, ExitReason.TRAILING_STOP)]
        if held.side < 0:
            # The price at which buying back takes all of the cash.
            ruin = self.cash / (held.units * (1 + self.slippage) * (1 + self.fee))
            stops.append((ruin, ExitReason.LIQUIDATION))
        elif self.cash < 0:
            # What funding has taken beyond the cash, the position has to bring when it is sold.
            ruin = -self.cash / (held.units * (1 - self.slippage) * (1 - self.fee))
            stops.append((ruin, ExitReason.LIQUIDATION))
        stops = [stop for stop in stops if stop[0] is not None]
        stops.sort(key=lambda stop: held.side * stop[0], reverse=True)
        if len(stops) > 1:
            self.watch(stops[0][0], stops[1][0])
        return stops[0] if stops else (None, None)

    def pull_trail(self, high, low):
        held = self.held
        if held.trail is None:
            return
        held.best = max(held.best, high) if held.side > 0 else min(held.best, low)
        if held.trail_reach is not None:
            held.trail = held.best - held.side * held.trail_reach
        else:
            held.trail = held.best * (1 - held.side * self.terms.trailing_stop.fraction)

    def liquidate_at(self, close, t):
        if self.held.side < 0:
            cost = self.held.units * close * (1 + self.slippage) * (1 + self.fee)
            self.watch(self.cash, cost)
            if cost >= self.cash:
                self.leave(t, close, ExitReason.LIQUIDATION)
        elif self.cash < 0:
            brought = self.held.units * close * (1 - self.slippage) * (1 - self.fee)
            self.watch(-self.cash, brought)
            if brought <= -self.cash:
                self.leave(t, close, ExitReason.LIQUIDATION)

    def fallen(self, price, stop):
        return stop is not None and (price <= stop if self.held.side > 0 else price >= stop)

    def reached(self, price, level):
        return level is not None and (price >= level if self.held.side > 0 else price <= level)

    def charge(self, price, time_s):
        """Charge a position since the last time: for a gap at the open, for a candle at its close."""
        if self.held is None:
            return
        held = self.held
        rate = self.terms.borrow_rate if held.side < 0 else self.terms.funding_rate
        years = (time_s - held.charged_until_s) / YEAR_S
        cost = held.units * price * rate * years
        self.cash -= cost
        held.carry += cost
        held.charged_until_s = time_s

    def watch(self, price, *levels):
        """Note how far a price stayed off levels that decide."""
        for level in levels:
            if level is not None and (price or level):
                distance = abs(price - level) / max(abs(price), abs(level))
                self.clearance = min(self.clearance, distance)
