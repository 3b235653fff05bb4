"""A backtest from its parts: the candles that are seen, signals, fills, figures."""

import math
from dataclasses import dataclass

from backcast_engine import BreakRule, FillTime

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
    missing_hours: int
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
    # Those that cut the window, as they were given.
    breaks: list[tuple[int, int]]
    # Of each part by itself: the opening times of its first and last candle, and its metrics.
    parts: list[tuple[int, int, dict[str, float | None]]]


def backtest(candles, strategy, interval_s, window, execution, known_signals=None, breaks=(), partial=()):
    """Return what should come out: an Outcome, a Refusal, or None when the window has no candle.

    At closes where rounding decides over a signal, that of `known_signals` is taken: a function that gets
    the opening times of the candles that are seen, and returns a pair of lists. `breaks` are pairs of the
    opening times of the hours before and behind each break, `partial` pairs of the opening time of a candle
    and of the hours that it was made of.
    """
    columns = Columns(*(column.tolist() for column in candles.columns()))
    all_times = columns.time_s
    # Breaks that are ignored are named all the same.
    named = breaks
    if execution.break_rule is BreakRule.IGNORE:
        breaks = ()
    columns = _without_both_sides(columns, breaks, interval_s)
    inside = [i for i, time in enumerate(columns.time_s) if window.start_s <= time < window.end_s]
    if not inside:
        return None
    sides = [_breaks_before(time + interval_s, breaks) for time in columns.time_s]
    parts = [[i for i in inside if sides[i] == side] for side in sorted({sides[i] for i in inside})]
    first, language = inside[0], _language(strategy)
    wanted = _power_of_two(max(language.warmup(strategy), _measured_warmup(execution)))
    warmup = min(wanted, len([i for i in range(first) if sides[i] == sides[first]]))
    needed = 1 + language.lookback(strategy)
    longest = max(len(part) + (warmup if part is parts[0] else 0) for part in parts)
    if longest < needed:
        return Refusal(needed, longest)

    cash, happened, alone, close_calls = execution.initial_capital, [], [], 0
    for part in parts:
        before = warmup if part is parts[0] else 0
        seen = columns[part[0] - before : part[-1] + 1]
        buy, sell, unclear = _signals(strategy, seen, before, known_signals)
        close_calls += unclear
        atr, volatility = _measures(seen, execution, interval_s)
        traded = seen[before:]
        inputs = buy[before:], sell[before:], execution, interval_s, atr[before:], volatility[before:]
        if execution.break_rule is BreakRule.SPLIT and len(parts) > 1:
            alone.append((traded, fills.trade(traded, *inputs, execution.initial_capital, breaks_off=False)))
        happened.append(fills.trade(traded, *inputs, cash, breaks_off=part is not parts[-1]))
        cash = happened[-1].cash
        for position in happened[-1].positions:
            # In the window, no longer in the part.
            position.entry += part[0] - first
            if position.exit is not None:
                position.exit += part[0] - first

    traded = [columns[part[0] : part[-1] + 1] for part in parts]
    times = [time for part in traded for time in part.time_s]
    equity = [value for own in happened for value in own.equity]
    positions = [position for own in happened for position in own.positions]
    share, own_share = 1.0, []
    for own in happened:
        own_share += [min(share, value) for value in own.own]
        share = own_share[-1]
    capital = execution.initial_capital
    expected, missing, longest_gap = figures.coverage_of(times, window, interval_s)
    cutting = [one for one in named if _is_between(one, times, interval_s)]
    return Outcome(
        warmup_candles=warmup,
        expected_candles=expected,
        missing_candles=missing,
        longest_gap_candles=longest_gap,
        missing_hours=figures.missing_hours_of(all_times, dict(partial), window, interval_s),
        open_times=times,
        equity=equity,
        drawdown=figures.drawdowns_of(equity, capital),
        months=figures.months_of(times, equity, capital),
        positions=positions,
        metrics=_metrics(traded, equity, positions, execution, interval_s),
        clearance=min(own.clearance for own in happened + [own for _, own in alone]),
        doubtful=figures.is_doubtful(equity, capital, positions)
        or any(figures.is_doubtful(own.equity, capital, own.positions) for _, own in alone),
        own=own_share,
        close_calls=close_calls,
        breaks=cutting,
        parts=[
            (
                candles.time_s[0],
                candles.time_s[-1],
                _metrics([candles], own.equity, own.positions, execution, interval_s),
            )
            for candles, own in alone
        ],
    )


def _language(strategy):
    return rules if strategy.name == "rules" else signals


def _signals(strategy, seen, before, known_signals):
    """Return where it buys and sells, and at how many closes from `before` on rounding decides."""
    decided = _language(strategy).decisions(strategy, seen)
    buy, sell = [one.buy for one in decided], [one.sell for one in decided]
    unclear = [t for t in range(before, len(decided)) if not decided[t].clear]
    if unclear and known_signals:
        known_buy, known_sell = known_signals(seen.time_s)
        for t in unclear:
            buy[t], sell[t] = known_buy[t], known_sell[t]
    return buy, sell, len(unclear)


def _without_both_sides(columns, breaks, interval_s):
    """Return the candles without those that hold prices of both sides of a break."""
    kept = [
        i
        for i, time in enumerate(columns.time_s)
        if not any(time <= before and time + interval_s > after for before, after in breaks)
    ]
    return Columns(**{name: [column[i] for i in kept] for name, column in vars(columns).items()})


def _breaks_before(end_s, breaks):
    """Return how many breaks a candle that ends at `end_s` is behind."""
    return sum(end_s > after for _, after in breaks)


def _is_between(one, times, interval_s):
    _, after = one
    return times[0] + interval_s <= after < times[-1] + interval_s


def _metrics(parts, equity, positions, execution, interval_s):
    holding = figures.holding_of(
        [(part.open, part.close) for part in parts], execution.fill_time is FillTime.SAME_CLOSE
    )
    times = [time for part in parts for time in part.time_s]
    capital = execution.initial_capital
    return figures.metrics_of(times, holding, equity, positions, capital, interval_s)


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
