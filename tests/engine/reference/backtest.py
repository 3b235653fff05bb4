"""A backtest from its parts: the candles that are seen, signals, fills, figures."""

import math
from dataclasses import dataclass

from . import figures, fills, rules, signals
from . import indicators as ind
from .fills import Position

YEAR_S = 365 * 86_400


@dataclass
class Columns:
    """Candles as lists."""

    time_s: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]

    def __getitem__(self, part):
        return Columns(**{name: column[part] for name, column in vars(self).items()})


@dataclass
class Refusal:
    """There are too few candles."""

    needed: int
    seen: int


@dataclass
class Outcome:
    """What the engine should have said."""

    warmup_candles: int
    expected_candles: int
    missing_candles: int
    longest_gap_candles: int
    open_times: list[int]
    equity: list[float]
    drawdown: list[float]
    months: list[tuple[int, int, float | None]]
    positions: list[Position]
    metrics: dict[str, float | None]
    # How far prices stayed off the levels that decide over fills, relatively.
    clearance: float
    # Whether there is a gain or a loss of which rounding decides whether it is one.
    doubtful: bool
    # The smallest share until each close that the equity had in the money that was there.
    own: list[float]
    # Closes at which rounding decides what the strategy wants.
    close_calls: int


def backtest(candles, strategy, interval_s, window, execution, known_signals=None):
    """Return what should come out: an Outcome, a Refusal, or None when the window has no candle.

    At closes where rounding decides over a signal, that of `known_signals` is taken: a function that gets
    the number of warm-up candles, and returns a pair of lists.
    """
    columns = Columns(*(column.tolist() for column in candles.columns()))
    inside = [i for i, time in enumerate(columns.time_s) if window.start_s <= time < window.end_s]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    is_custom = strategy.name == "rules"
    wanted = rules.warmup(strategy) if is_custom else signals.warmup(strategy)
    warmup = min(_power_of_two(max(wanted, _measured_warmup(execution))), first)
    seen = columns[first - warmup : last + 1]
    needed = 1 + (rules.lookback(strategy) if is_custom else signals.lookback(strategy))
    if len(seen.close) < needed:
        return Refusal(needed, len(seen.close))
    decided = rules.decisions(strategy, seen) if is_custom else signals.decisions(strategy, seen)
    buy, sell = [one.buy for one in decided], [one.sell for one in decided]
    close_calls = [t for t in range(warmup, len(decided)) if not decided[t].clear]
    if close_calls and known_signals:
        known_buy, known_sell = known_signals(first - warmup, last + 1)
        for t in close_calls:
            buy[t], sell[t] = known_buy[t], known_sell[t]
    atr, volatility = _measures(seen, execution, interval_s)
    traded = seen[warmup:]
    happened = fills.trade(
        traded, buy[warmup:], sell[warmup:], execution, interval_s, atr[warmup:], volatility[warmup:]
    )
    equity, capital = happened.equity, execution.initial_capital
    expected, missing, longest_gap = figures.coverage_of(traded.time_s, window, interval_s)
    return Outcome(
        warmup_candles=warmup,
        expected_candles=expected,
        missing_candles=missing,
        longest_gap_candles=longest_gap,
        open_times=traded.time_s,
        equity=equity,
        drawdown=figures.drawdowns_of(equity, capital),
        months=figures.months_of(traded.time_s, equity, capital),
        positions=happened.positions,
        metrics=figures.metrics_of(
            traded.time_s, traded.open, traded.close, equity, happened.positions, capital, interval_s
        ),
        clearance=happened.clearance,
        doubtful=figures.is_doubtful(equity, capital, happened.positions),
        own=happened.own,
        close_calls=len(close_calls),
    )


def _power_of_two(wanted):
    if wanted == 0:
        return 0
    power = 1
    while power < wanted:
        power *= 2
    return power


def _stops(execution):
    return [execution.stop_loss, execution.take_profit, execution.trailing_stop]


def _needs_atr(execution):
    return any(stop is not None and stop.atr_multiple is not None for stop in _stops(execution))


def _measured_warmup(execution):
    wanted = 0
    if _needs_atr(execution):
        wanted = 20 * execution.atr_period
    if execution.volatility_target is not None:
        wanted = max(wanted, execution.volatility_target.period)
    return wanted


def _measures(seen, execution, interval_s):
    """Return the average true range and the volatility of a year at each candle."""
    atr = volatility = [None] * len(seen.close)
    if _needs_atr(execution):
        atr = ind.atr(seen.high, seen.low, seen.close, execution.atr_period)
    if execution.volatility_target is not None:
        period, closes = execution.volatility_target.period, seen.close
        returns = [None] + [(closes[t] - closes[t - 1]) / closes[t - 1] for t in range(1, len(closes))]
        volatility = []
        for t in range(len(closes)):
            if t < period:
                volatility.append(None)
                continue
            recent = returns[t - period + 1 : t + 1]
            variance = ind.deviation(recent) ** 2 * period / (period - 1)
            deviation = math.sqrt(variance)
            # What rounding leaves of nothing is nothing.
            volatility.append(0.0 if deviation < 1e-14 else deviation * math.sqrt(YEAR_S / interval_s))
    return atr, volatility
