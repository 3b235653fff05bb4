"""The engine's definition once more, as slow and plain as it can be: what the engine is judged by.

Loops over Python floats, written from the definition alone. The only things taken from the engine are
its input dataclasses (a strategy's parameters, an execution's costs), read by attribute.
"""

import math
from dataclasses import dataclass

from services.compute.engine import Execution, Strategy, Window
from services.shared.candles import Candles

DAY_S = 86_400
MONDAY_S = 4 * DAY_S  # 1970-01-05

# Below this, a number is what rounding left of a zero; above, two roundings cannot decide differently.
ROUNDING = 1e-12


@dataclass
class Decision:
    """What the strategy wants at a close, and how far (relatively) it was from wanting something else."""

    buy: bool
    sell: bool
    clearance: float


@dataclass
class Position:
    """A purchase and its sale; `exit` is None while open. Both are indices into the window."""

    entry: int
    entry_price: float
    units: float
    cost: float
    entry_fee: float
    exit: int | None = None
    exit_price: float | None = None
    exit_fee: float = 0.0
    value: float = 0.0

    @property
    def profit(self) -> float:
        return self.value - self.cost

    @property
    def return_fraction(self) -> float:
        return self.profit / self.cost


@dataclass
class Outcome:
    """What the engine should have said."""

    warmup_candles: int
    expected_candles: int
    missing_candles: int
    longest_gap_candles: int
    open_times: list[int]
    equity: list[float]
    positions: list[Position]
    metrics: dict[str, float | None]
    clearance: float
    rounding_noise: bool


def backtest(
    candles: Candles, strategy: Strategy, interval_s: int, window: Window, execution: Execution
) -> Outcome | None:
    """Return what should come out, None when the window has no candle."""
    times = [int(time) for time in candles.open_time_s]
    opens = [float(price) for price in candles.open]
    closes = [float(price) for price in candles.close]
    inside = [i for i, time in enumerate(times) if window.start_s <= time < window.end_s]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    warmup = min(_warmup_wanted(strategy), first)
    decisions = _decisions(strategy, closes[first - warmup : last + 1])[warmup:]
    times, opens, closes = times[first : last + 1], opens[first : last + 1], closes[first : last + 1]
    equity, positions = _trade(opens, closes, decisions, execution)
    capital = execution.initial_capital
    metrics = _metrics(opens, closes, equity, positions, capital, interval_s)
    noise = _returns(equity, capital) + [position.return_fraction for position in positions]
    noise.append(metrics["max_drawdown"] or 0.0)
    expected, missing, longest_gap = _coverage(times, window, interval_s)
    return Outcome(
        warmup_candles=warmup,
        expected_candles=expected,
        missing_candles=missing,
        longest_gap_candles=longest_gap,
        open_times=times,
        equity=equity,
        positions=positions,
        metrics=metrics,
        clearance=min(decision.clearance for decision in decisions),
        rounding_noise=any(0 < abs(value) < ROUNDING for value in noise),
    )


def _warmup_wanted(strategy):
    if strategy.name == "rsi":
        return 20 * strategy.period
    if strategy.name == "ma_cross":
        return strategy.slow - 1 if strategy.kind == "SMA" else 10 * strategy.slow
    if strategy.name == "bollinger":
        return strategy.period - 1
    assert strategy.name == "buy_and_hold"
    return 0


# Signals


def _decisions(strategy, closes):
    if strategy.name == "rsi":
        return _rsi_decisions(strategy, closes)
    if strategy.name == "ma_cross":
        return _ma_cross_decisions(strategy, closes)
    if strategy.name == "bollinger":
        return _bollinger_decisions(strategy, closes)
    return [Decision(buy=True, sell=False, clearance=math.inf) for _ in closes]


def _nothing():
    return Decision(buy=False, sell=False, clearance=math.inf)


def _clearance(value, level):
    larger = max(abs(value), abs(level))
    return abs(value - level) / larger if larger > 0 else math.inf


def _rsi_decisions(strategy, closes):
    period = strategy.period
    decisions = []
    gain = loss = 0.0
    gains, losses = [], []
    for t in range(len(closes)):
        if t > 0:
            change = closes[t] - closes[t - 1]
            gains.append(change if change > 0 else 0.0)
            losses.append(-change if change < 0 else 0.0)
        if t < period:
            decisions.append(_nothing())
            continue
        if t == period:
            gain, loss = math.fsum(gains) / period, math.fsum(losses) / period
        else:
            gain = (gain * (period - 1) + gains[-1]) / period
            loss = (loss * (period - 1) + losses[-1]) / period
        rsi = 100 * (gain / (gain + loss)) if gain + loss > 0 else 50.0
        # 0, 50 and 100 are exact when there was nothing to round.
        exact = gain == 0 or loss == 0
        levels = _clearance(rsi, strategy.oversold), _clearance(rsi, strategy.overbought)
        decisions.append(
            Decision(
                buy=rsi < strategy.oversold,
                sell=rsi > strategy.overbought,
                clearance=math.inf if exact else min(levels),
            )
        )
    return decisions


def _mean(values):
    # Around one of them, so that the mean of equal values is that value.
    return values[0] + math.fsum(value - values[0] for value in values) / len(values)


def _ema(closes, period):
    averages = []
    for t in range(len(closes)):
        if t < period - 1:
            averages.append(None)
        elif t == period - 1:
            averages.append(_mean(closes[:period]))
        else:
            averages.append(averages[-1] + (closes[t] - averages[-1]) * 2 / (period + 1))
    return averages


def _sma(closes, period):
    return [None if t < period - 1 else _mean(closes[t - period + 1 : t + 1]) for t in range(len(closes))]


def _ma_cross_decisions(strategy, closes):
    average = _sma if strategy.kind == "SMA" else _ema
    fast, slow = average(closes, strategy.fast), average(closes, strategy.slow)
    decisions = []
    for t in range(len(closes)):
        if slow[t] is None:
            decisions.append(_nothing())
            continue
        seen = closes[t - strategy.slow + 1 : t + 1] if strategy.kind == "SMA" else closes[: t + 1]
        exact = len(set(seen)) == 1
        decisions.append(
            Decision(
                buy=fast[t] > slow[t],
                sell=fast[t] < slow[t],
                clearance=math.inf if exact else _clearance(fast[t], slow[t]),
            )
        )
    return decisions


def _bollinger_decisions(strategy, closes):
    decisions = []
    for t in range(len(closes)):
        if t < strategy.period - 1:
            decisions.append(_nothing())
            continue
        seen = closes[t - strategy.period + 1 : t + 1]
        middle = _mean(seen)
        deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in seen) / strategy.period)
        lower, upper = middle - strategy.width * deviation, middle + strategy.width * deviation
        level = upper if strategy.exit_band == "UPPER" else middle
        exact = len(set(seen)) == 1
        levels = _clearance(closes[t], lower), _clearance(closes[t], level)
        decisions.append(
            Decision(
                buy=closes[t] < lower,
                sell=closes[t] > level,
                clearance=math.inf if exact else min(levels),
            )
        )
    return decisions


# Fills


def _trade(opens, closes, decisions, execution):
    fee, slippage = execution.fee_rate, execution.slippage_bps / 10_000
    cash, units = execution.initial_capital, 0.0
    equity, positions = [], []
    held = None
    for t in range(len(closes)):
        if t > 0:
            wanted = decisions[t - 1]
            if held is None and wanted.buy:
                price = opens[t] * (1 + slippage)
                units = cash / (price * (1 + fee))
                held = Position(
                    entry=t, entry_price=price, units=units, cost=cash, entry_fee=units * price * fee
                )
                positions.append(held)
                cash = 0.0
            elif held is not None and wanted.sell:
                cash = units * opens[t] * (1 - slippage) * (1 - fee)
                held.exit, held.exit_price, held.value = t, opens[t] * (1 - slippage), cash
                held.exit_fee = units * held.exit_price * fee
                held, units = None, 0.0
        equity.append(cash + units * closes[t])
    if held is not None:
        held.value = units * closes[-1]
    return equity, positions


# Figures


def _returns(equity, capital):
    # (b - a) / a is b / a - 1 with fewer digits lost.
    before = [capital, *equity[:-1]]
    return [(now - then) / then for then, now in zip(before, equity, strict=True)]


def _metrics(opens, closes, equity, positions, capital, interval_s):
    n = len(equity)
    returns = _returns(equity, capital)
    root = math.sqrt(365 * DAY_S / interval_s)
    mean = math.fsum(returns) / n
    std = None
    if n > 1:
        std = math.sqrt(math.fsum((value - mean) ** 2 for value in returns) / (n - 1))
    downside = math.sqrt(math.fsum(min(value, 0.0) ** 2 for value in returns) / n)

    peak, max_drawdown = capital, 0.0
    for value in equity:
        peak = max(peak, value)
        max_drawdown = max(max_drawdown, (peak - value) / peak)

    cagr = None
    if n * interval_s >= 7 * DAY_S:
        try:
            cagr = (equity[-1] / capital) ** (365.25 * DAY_S / (n * interval_s)) - 1
        except OverflowError:
            cagr = None

    closed = [position for position in positions if position.exit is not None]
    trade_returns = [position.return_fraction for position in closed]
    gains = math.fsum(position.profit for position in closed if position.profit > 0)
    losses = math.fsum(-position.profit for position in closed if position.profit < 0)
    held_closes = 0
    for t in range(n):
        for position in positions:
            if position.entry <= t and (position.exit is None or t < position.exit):
                held_closes += 1
    return {
        "total_return": equity[-1] / capital - 1,
        "final_equity": equity[-1],
        "buy_and_hold_return": closes[-1] / opens[0] - 1,
        "cagr": cagr,
        "annual_volatility": None if std is None else std * root,
        "sharpe_ratio": mean / std * root if std else None,
        "sortino_ratio": mean / downside * root if downside else None,
        "calmar_ratio": cagr / max_drawdown if cagr is not None and max_drawdown else None,
        "max_drawdown": max_drawdown,
        "exposure": held_closes / n,
        "fees_paid": math.fsum(position.entry_fee + position.exit_fee for position in positions),
        "trade_count": len(closed),
        "open_trade_count": len(positions) - len(closed),
        "win_rate": sum(position.profit > 0 for position in closed) / len(closed) if closed else None,
        "profit_factor": gains / losses if losses else None,
        "expectancy": math.fsum(trade_returns) / len(closed) if closed else None,
        "best_trade": max(trade_returns) if closed else None,
        "worst_trade": min(trade_returns) if closed else None,
    }


def _coverage(times, window, interval_s):
    present = set(times)
    expected = missing = gap = longest_gap = 0
    opening = window.start_s
    if (opening - MONDAY_S) % interval_s != 0:
        opening += interval_s - (opening - MONDAY_S) % interval_s
    while opening < window.end_s:
        expected += 1
        if opening in present:
            gap = 0
        else:
            missing += 1
            gap += 1
            longest_gap = max(longest_gap, gap)
        opening += interval_s
    return expected, missing, longest_gap
