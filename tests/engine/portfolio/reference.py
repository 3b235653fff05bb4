"""docs/portfolios.md once more, candle by candle in plain Python: what the compiled pass is judged by.

Written from the document alone. Signals, ranks and measures are given.
"""

import math
from dataclasses import dataclass, field

from backcast_engine import Direction, ExitReason, FillTime
from backcast_engine.portfolio import PortfolioSize, SkipReason

YEAR_S = 365 * 86_400


@dataclass
class Crypto:
    """A crypto's candles in the window, as lists; signals and measures have one list for each strategy."""

    symbol: str
    time_s: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    # The places of the last candles before breaks.
    before_breaks: set[int]
    buy: list[list[bool]]
    sell: list[list[bool]]
    atr: list[list[float]]
    volatility: list[list[float]]
    rank: list[float]


@dataclass
class Position:
    """A position of a leg; `exit` is the place of the candle in which it was closed."""

    symbol: str
    strategy: int
    side: int
    units: float
    entry: int
    # What all purchases cost, how many units they brought, and their prices × units.
    cost: float
    bought: float
    spent: float
    price: float
    charged_until_s: int
    collateral: float
    levels: dict[str, float | None]
    # All that it has moved into the cash, without its carry.
    flow: float = 0.0
    carry: float = 0.0
    fees: float = 0.0
    best: float = 0.0
    exit: int | None = None
    reason: ExitReason = ExitReason.NOT_CLOSED

    @property
    def value(self) -> float:
        return self.side * self.units * self.price


@dataclass
class Outcome:
    """What should come out; `clearance` is how far decisions stayed off their levels, relatively."""

    equity: list[float] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    exposure: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    closed: list[Position] = field(default_factory=list)
    left: list[Position] = field(default_factory=list)
    turnover: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, dict[SkipReason, int]] = field(default_factory=dict)
    # Of each candle, the profit of each crypto until its close, and the cryptos that had a position in it.
    profits: list[dict[str, float]] = field(default_factory=list)
    had: list[set[str]] = field(default_factory=list)
    clearance: float = math.inf
    # The smallest share of the money that is there, proceeds of shorts included, which the equity has had.
    own: float = 1.0


class Account:
    """One capital; `run` takes it through all candles."""

    def __init__(self, cryptos, portfolio):
        self.cryptos = {crypto.symbol: crypto for crypto in cryptos}
        self.portfolio, self.execution = portfolio, portfolio.execution
        self.interval_s = portfolio.interval.seconds
        self.fee, self.slippage = self.execution.fee_rate, self.execution.slippage_bps / 10_000
        self.cash = self.execution.initial_capital
        self.open: dict[tuple[str, int], Position] = {}
        self.had: set[str] = set()
        self.out = Outcome(
            turnover=dict.fromkeys(self.cryptos, 0.0),
            skipped={symbol: dict.fromkeys(SkipReason, 0) for symbol in self.cryptos},
        )

    # Time

    def run(self) -> Outcome:
        times = sorted({time for crypto in self.cryptos.values() for time in crypto.time_s})
        places = {
            symbol: {time: i for i, time in enumerate(crypto.time_s)}
            for symbol, crypto in self.cryptos.items()
        }
        self.last = dict.fromkeys(self.cryptos, -1)
        at_close = self.execution.fill_time is FillTime.SAME_CLOSE
        for number, time_s in enumerate(times):
            self.now = {symbol: own[time_s] for symbol, own in places.items() if time_s in own}
            self.last |= self.now
            self.had = {symbol for symbol, _ in self.open}
            for position in self.in_order():
                if position.symbol in self.now:
                    position.price = self.cryptos[position.symbol].open[self.now[position.symbol]]
                    self.charge(position, time_s)
            if not at_close:
                self.fill_orders(number, time_s, at_close=False)
            for position in self.in_order():
                if position.symbol in self.now and self.is_open(position):
                    self.live_through(position, time_s + self.interval_s)
            if at_close:
                self.fill_orders(number, time_s + self.interval_s, at_close=True)
            self.note()
            for position in self.in_order():
                crypto = self.cryptos[position.symbol]
                i = self.now.get(position.symbol)
                if i is None or not self.is_open(position):
                    continue
                ends_early = i == len(crypto.time_s) - 1 and time_s < times[-1]
                if i in crypto.before_breaks or ends_early:
                    self.leave(position, crypto.close[i], ExitReason.BREAK)
        self.out.left = self.in_order()
        return self.out

    def in_order(self):
        return [self.open[leg] for leg in sorted(self.open)]

    def is_open(self, position):
        return self.open.get((position.symbol, position.strategy)) is position

    def note(self):
        out, equity = self.out, self.equity()
        gross = sum(abs(position.value) for position in self.in_order())
        out.equity.append(equity)
        out.cash.append(self.cash)
        out.exposure.append(gross / equity if equity > 0 else 0.0)
        out.positions.append(len(self.open))
        profits = dict.fromkeys(self.cryptos, 0.0)
        for position in [*out.closed, *self.in_order()]:
            value = position.value if position.reason is ExitReason.NOT_CLOSED else 0.0
            profits[position.symbol] += position.flow + value - position.carry
        out.profits.append(profits)
        out.had.append(self.had)
        if equity > 0:
            out.own = min(out.own, equity / (abs(self.cash) + gross))

    def equity(self):
        return self.cash + sum(position.value for position in self.in_order())

    # Orders

    def fill_orders(self, number, time_s, *, at_close):
        wanted = {}
        for symbol, strategy in self.legs():
            signal = self.signal_of(symbol, at_close)
            if signal is None:
                continue
            crypto, position = self.cryptos[symbol], self.open.get((symbol, strategy))
            side = self.side_of(position, crypto.buy[strategy][signal], crypto.sell[strategy][signal])
            if position is not None and side != position.side:
                self.leave(position, self.price_of(symbol, at_close), ExitReason.SIGNAL)
                position = None
            if position is None and side != 0:
                wanted[symbol, strategy] = side
        equity = self.equity()
        rebalancing = self.portfolio.rebalancing
        if rebalancing and number > 0 and number % rebalancing.every == 0 and equity > 0:
            self.rebalance(equity, at_close)

        def turn(leg):
            rank = self.cryptos[leg[0]].rank[self.signal_of(leg[0], at_close)]
            return (1, 0.0, leg) if math.isnan(rank) else (0, -rank, leg)

        for leg in sorted(wanted, key=turn):
            self.enter(leg, wanted[leg], equity, time_s, at_close)

    def legs(self):
        return [
            (symbol, strategy)
            for symbol in sorted(self.cryptos)
            for strategy in range(len(self.portfolio.strategies))
        ]

    def signal_of(self, symbol, at_close):
        """Return the place of the candle whose signal fills now; None if there is none."""
        i = self.now.get(symbol)
        if i is None or at_close:
            return i
        return None if i == 0 or i - 1 in self.cryptos[symbol].before_breaks else i - 1

    def price_of(self, symbol, at_close):
        crypto = self.cryptos[symbol]
        return (crypto.close if at_close else crypto.open)[self.now[symbol]]

    def side_of(self, position, buy, sell):
        longs = self.execution.direction is not Direction.SHORT_ONLY
        shorts = self.execution.direction is not Direction.LONG_ONLY
        if position is None:
            return 1 if buy and longs else -1 if sell and shorts else 0
        if position.side > 0:
            return 1 if not sell else -1 if shorts else 0
        return -1 if not buy else 1 if longs else 0

    def size(self, leg, equity, signal):
        """Return the size of a leg's position; None where it is undefined."""
        symbol, strategy = leg
        share = self.portfolio.strategies[strategy].weight * equity
        if self.portfolio.size is PortfolioSize.EQUAL:
            return share / self.portfolio.max_positions
        if self.execution.quote_amount is not None:
            return min(self.execution.quote_amount, share)
        if self.execution.volatility_target is not None:
            volatility = self.cryptos[symbol].volatility[strategy][signal]
            if not volatility > 0:
                return None
            return min(share, share * self.execution.volatility_target.annual_volatility / volatility)
        return share * self.execution.equity_fraction

    def free_cash(self):
        return self.cash - sum(position.collateral for position in self.in_order())

    def enter(self, leg, side, equity, time_s, at_close):
        reason, size = self.skip_reason(leg, equity, at_close)
        symbol, strategy = leg
        if reason is not None:
            self.out.skipped[symbol][reason] += 1
            return
        raw, signal = self.price_of(symbol, at_close), self.signal_of(symbol, at_close)
        price, cost = raw * (1 + side * self.slippage), min(size, self.free_cash())
        atr = self.cryptos[symbol].atr[strategy]
        levels: dict[str, float | None] = {}
        for name, distance, towards in (
            ("stop", self.execution.stop_loss, -side),
            ("profit", self.execution.take_profit, side),
            ("trail", self.execution.trailing_stop, -side),
        ):
            if distance is None:
                levels[name] = None
            elif distance.fraction is not None:
                levels[name] = price * (1 + towards * distance.fraction)
            else:
                levels[name] = price + towards * distance.atr_multiple * atr[signal]
        trailing = self.execution.trailing_stop
        if trailing is not None and trailing.atr_multiple is not None:
            levels["reach"] = trailing.atr_multiple * atr[signal]
        position = Position(
            *(symbol, strategy, side, 0.0, self.now[symbol], 0.0, 0.0, 0.0, raw, time_s, 0.0, levels),
            best=price,
        )
        self.open[leg] = position
        self.had.add(symbol)
        self.buy(position, price, cost)
        if at_close:
            self.liquidate_at(position, raw)

    def skip_reason(self, leg, equity, at_close):
        symbol, strategy = leg
        signal = self.signal_of(symbol, at_close)
        if equity <= 0 or self.equity() <= 0:
            return SkipReason.NO_EQUITY, None
        if sum(taken == strategy for _, taken in self.open) >= self.portfolio.max_positions:
            return SkipReason.NO_PLACE, None
        size = self.size(leg, equity, signal)
        if size is None or (
            self.execution.needs_atr and math.isnan(self.cryptos[symbol].atr[strategy][signal])
        ):
            return SkipReason.UNDEFINED_SIZE, None
        self.watch(self.free_cash(), size / 100, scale=equity)
        if self.free_cash() < size / 100:
            return SkipReason.NO_CASH, None
        return None, size

    def buy(self, position, price, cost):
        """Open or add to a position at a price with slippage; `cost` contains the fee."""
        units = cost / (price * (1 + self.fee))
        fee = units * price * self.fee
        if position.side > 0:
            flow = -cost
        else:
            flow = units * price - fee
            position.collateral += flow + cost
        self.cash += flow
        position.flow += flow
        position.fees += fee
        position.cost += cost
        position.units += units
        position.bought += units
        position.spent += units * price
        self.out.turnover[position.symbol] += units * price

    def rebalance(self, equity, at_close):
        threshold = self.portfolio.rebalancing.threshold
        due = []
        for position in self.in_order():
            if position.symbol in self.now:
                leg = (position.symbol, position.strategy)
                target = self.size(leg, equity, self.signal_of(position.symbol, at_close))
                value = abs(position.value)
                if target is not None:
                    self.watch(abs(value - target), threshold * target, scale=equity)
                    if abs(value - target) > threshold * target:
                        due.append((position, target - value))
        for position, missing in due:
            if missing < 0:
                raw = self.price_of(position.symbol, at_close)
                self.sell_some(position, -missing / raw, raw)
        for position, missing in due:
            if missing > 0:
                raw = self.price_of(position.symbol, at_close)
                cost = min(missing, self.free_cash())
                if cost > 0:
                    self.buy(position, raw * (1 + position.side * self.slippage), cost)

    def sell_some(self, position, units, raw):
        price = raw * (1 - position.side * self.slippage)
        fee = units * price * self.fee
        flow = position.side * units * price - fee
        self.cash += flow
        position.flow += flow
        position.fees += fee
        position.collateral *= 1 - units / position.units
        position.units -= units
        self.out.turnover[position.symbol] += units * price

    # Within candles

    def live_through(self, position, close_s):
        """Take a position through a candle: the open comes first, then the stop, then the profit."""
        crypto, i = self.cryptos[position.symbol], self.now[position.symbol]
        open_, high, low, close = crypto.open[i], crypto.high[i], crypto.low[i], crypto.close[i]
        side = position.side
        worst, best = (low, high) if side > 0 else (high, low)
        stop, reason = self.nearest_stop(position)
        target = position.levels["profit"]
        for price, level in ((open_, stop), (open_, target), (worst, stop), (best, target)):
            self.watch(price, level)
        if target is not None and side * open_ >= side * target:
            self.leave(position, open_, ExitReason.TAKE_PROFIT)
        elif stop is not None and side * open_ <= side * stop:
            self.leave(position, open_, reason)
        elif stop is not None and side * worst <= side * stop:
            self.leave(position, stop, reason)
        elif target is not None and side * best >= side * target:
            self.leave(position, target, ExitReason.TAKE_PROFIT)
        else:
            self.pull_trail(position, best)
            position.price = close
            self.charge(position, close_s)
            self.liquidate_at(position, close)

    def nearest_stop(self, position):
        side = position.side
        stops = [
            (position.levels["stop"], ExitReason.STOP_LOSS),
            (position.levels["trail"], ExitReason.TRAILING_STOP),
        ]
        backing = self.backing(position)
        if side < 0 or backing < 0:
            costs = (1 - side * self.slippage) * (1 - side * self.fee)
            stops.append((-side * backing / (position.units * costs), ExitReason.LIQUIDATION))
        there = sorted((stop for stop in stops if stop[0] is not None), key=lambda stop: -side * stop[0])
        if len(there) > 1:
            self.watch(there[0][0], there[1][0])
        return there[0] if there else (None, None)

    def pull_trail(self, position, best):
        if position.levels["trail"] is None:
            return
        side = position.side
        position.best = max(position.best, best) if side > 0 else min(position.best, best)
        if "reach" in position.levels:
            position.levels["trail"] = position.best - side * position.levels["reach"]
        else:
            position.levels["trail"] = position.best * (1 - side * self.execution.trailing_stop.fraction)

    # Costs of holding, and the end

    def charge(self, position, time_s):
        rate = self.execution.borrow_rate if position.side < 0 else self.execution.funding_rate
        years = (time_s - position.charged_until_s) / YEAR_S
        cost = position.units * position.price * rate * years
        self.cash -= cost
        position.carry += cost
        position.charged_until_s = time_s

    def backing(self, position):
        return self.cash + sum(other.value for other in self.in_order() if other is not position)

    def closing_flow(self, position, raw):
        price = raw * (1 - position.side * self.slippage)
        return position.side * position.units * price - position.units * price * self.fee

    def liquidate_at(self, position, raw):
        backing, flow = self.backing(position), self.closing_flow(position, raw)
        if position.side < 0 or backing < 0:
            self.watch(backing, -flow)
            if backing + flow <= 0:
                self.leave(position, raw, ExitReason.LIQUIDATION)

    def leave(self, position, raw, reason):
        price, flow = raw * (1 - position.side * self.slippage), self.closing_flow(position, raw)
        backing = self.backing(position)
        if (position.side < 0 or backing < 0) and reason is not ExitReason.LIQUIDATION:
            self.watch(backing, -flow)
        is_gone = reason is ExitReason.LIQUIDATION or backing + flow < 0
        if is_gone:
            reason, flow = ExitReason.LIQUIDATION, -backing
        self.close(position, reason, price, flow, position.units * price * self.fee)
        if is_gone:
            for other in self.in_order():
                self.close(other, ExitReason.LIQUIDATION, other.price, other.value, 0.0)
            self.cash = 0.0

    def close(self, position, reason, price, flow, fee):
        self.cash += flow
        position.flow += flow
        position.fees += fee
        position.reason, position.exit = reason, self.last[position.symbol]
        self.out.turnover[position.symbol] += position.units * price
        self.out.closed.append(position)
        del self.open[position.symbol, position.strategy]

    def watch(self, value, level, scale=0.0):
        """Note how far a value stayed off a level that decides."""
        if value is not None and level is not None and (value or level):
            distance = abs(value - level) / max(abs(value), abs(level), scale)
            self.out.clearance = min(self.out.clearance, distance)
