"""Random histories, windows, strategies and executions, drawn by hypothesis.

Hypothesis draws the shape of a history and a seed; a generator fills in the prices.
"""

import math
import random

import numpy as np
from hypothesis import strategies as st

from backcast_engine import (
    BreakRule,
    Direction,
    Distance,
    Execution,
    FillTime,
    Strategy,
    VolatilityTarget,
    Window,
)
from backcast_engine.breaks import Break
from backcast_engine.candles import Candles
from backcast_engine.history import History, PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.strategies.bollinger import Bollinger, ExitBand
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.donchian import Donchian
from backcast_engine.strategies.keltner import Keltner
from backcast_engine.strategies.ma_cross import MaCross, MovingAverageKind
from backcast_engine.strategies.macd import Macd
from backcast_engine.strategies.roc_momentum import RocMomentum
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.rsi_trend import RsiTrend
from backcast_engine.strategies.stochastic import Stochastic
from backcast_engine.strategies.supertrend import Supertrend

from .inputs import HOUR_S, make_candles
from .rules.random_rules import custom_rules


@st.composite
def histories(draw, interval: Interval) -> Candles:
    """Draw 1 to some 300 candles: calm and wild walks, swings, rises, falls, flat stretches and gaps.

    Most have wicks: their highs and lows are beyond open and close.
    """
    rng = random.Random(draw(st.integers(0, 2**32)))
    price = 10.0 ** draw(st.integers(-9, 12)) * rng.uniform(1, 10)
    kinds = st.sampled_from(["swing", "walk", "wild", "flat", "rise", "fall", "gap"])
    lengths = st.one_of(st.just(50), st.integers(1, 60))
    parts = draw(st.lists(st.tuples(kinds, lengths), min_size=draw(st.sampled_from([4, 1])), max_size=8))
    wick = draw(st.sampled_from([0.01, 0.001, 0.05, 0.0]))
    position, at, rows = 0, [], []
    for kind, length in [*parts, ("walk", 1)]:
        if kind == "gap":
            position += length
            continue
        for i in range(length):
            opened = price if kind in ("flat", "rise", "fall") else price * math.exp(rng.gauss(0, 0.002))
            step = {
                "walk": rng.gauss(0, 0.01),
                "swing": 0.03 * math.cos(i / 2) + rng.gauss(0, 0.01),
                "wild": rng.gauss(0, 0.3),
                "flat": 0.0,
                "rise": rng.uniform(0.001, 0.02),
                "fall": -rng.uniform(0.001, 0.02),
            }[kind]
            price = opened * math.exp(step)
            reach = 0.0 if kind == "flat" else wick
            high = max(opened, price) * math.exp(rng.expovariate(1) * reach)
            low = min(opened, price) * math.exp(-rng.expovariate(1) * reach)
            at.append(position)
            rows.append((opened, high, low, price))
            position += 1
    opens, highs, lows, closes = zip(*rows, strict=True)
    return make_candles(opens, closes, interval, at, highs, lows)


@st.composite
def broken_histories(draw, interval: Interval) -> History:
    """Draw a history with up to three breaks: between candles, or within one, if need be over a gap.

    Of longer candles, some are partial.
    """
    candles = draw(histories(interval))
    time_s, hours = candles.open_time_s, interval.seconds // HOUR_S
    rng = random.Random(draw(st.integers(0, 2**32)))
    factors = np.ones(len(candles))
    breaks = []
    for _ in range(draw(st.sampled_from([1, 2, 3, 0]))):
        last = rng.randrange(len(candles))
        before_s = int(time_s[last]) + HOUR_S * rng.choice([hours - 1, rng.randrange(hours)])
        later = [int(time_s[last]) + HOUR_S * hour for hour in range(hours)] + [
            int(time_s[last + 1]) + HOUR_S * hour
            for hour in range(hours)
            if last + 1 < len(candles) and (hour == 0 or rng.random() < 0.2)
        ]
        after_s = rng.choice([hour for hour in later if hour > before_s] or [before_s + 30 * HOUR_S])
        factor = 10.0 ** rng.uniform(-3, 3)
        factors[time_s > before_s] *= factor
        breaks.append(Break(before_s, after_s, 1.0, factor))
    breaks = sorted(breaks, key=lambda each: each.before_s)
    for column in (candles.open, candles.high, candles.low, candles.close):
        np.multiply(column, factors, out=column)
    share = draw(st.sampled_from([0.0, 0.3])) if hours > 1 else 0.0
    partial = [(time, rng.randrange(1, hours)) for time in time_s.tolist() if rng.random() < share]
    times, made_of = np.array(partial, np.int64).reshape(-1, 2).T
    return History(candles, _apart(breaks), PartialCandles(times, made_of))


def _apart(breaks: list[Break]) -> tuple[Break, ...]:
    """Return breaks without those that begin before the one before them has ended."""
    kept: list[Break] = []
    for each in breaks:
        if not kept or each.before_s >= kept[-1].after_s:
            kept.append(each)
    return tuple(kept)


@st.composite
def windows(draw, candles: Candles, interval: Interval) -> Window:
    """Draw a window: within, around, before or after the history, on the grid or off it, long or tiny."""
    span = int(candles.open_time_s[-1] - candles.open_time_s[0]) // interval.seconds + 1
    first = draw(st.one_of(st.just(0), st.integers(0, span // 2), st.integers(-10, span + 10)))
    length = draw(st.one_of(st.just(span), st.sampled_from([span, 1, 2]), st.integers(0, span + 20)))
    offset = draw(st.one_of(st.just(0), st.integers(0, interval.seconds - 1)))
    start_s = int(candles.open_time_s[0]) + first * interval.seconds + offset
    return Window(start_s, start_s + length * interval.seconds)


def periods(minimum: int) -> st.SearchStrategy[int]:
    """Draw a period, mostly a short one: there are to be trades within a short history."""
    return st.one_of(st.integers(minimum, 8), st.integers(minimum, 8), st.integers(minimum, 50))


@st.composite
def _levels(draw) -> tuple[float, float]:
    low = draw(st.one_of(st.sampled_from([45.0, 30.0]), st.floats(0, 99)))
    above = st.floats(low, 100, exclude_min=True)
    high = draw(above if low >= 50 else st.one_of(st.sampled_from([55.0, 70.0, 100.0]), above))
    return low, high


@st.composite
def _two_periods(draw) -> tuple[int, int]:
    fast = draw(periods(1))
    return fast, fast + draw(periods(1))


@st.composite
def _roc_momentum(draw) -> RocMomentum:
    level = st.one_of(st.just(0.0), st.floats(-100, 1e6), st.floats(-5, 5))
    above, below = draw(level), draw(level)
    return RocMomentum(draw(periods(1)), max(above, below), min(above, below))


_MULTIPLES = st.one_of(st.sampled_from([0.5, 1.0, 2.0]), st.floats(0.01, 4.0), st.floats(0.01, 100.0))

# By name, valid parameters of each.
PARAMETERS: dict[str, st.SearchStrategy[Strategy]] = {
    "bollinger": st.builds(Bollinger, periods(2), _MULTIPLES, exit_band=st.sampled_from(ExitBand)),
    "buy_and_hold": st.builds(BuyAndHold),
    "donchian": st.builds(Donchian, periods(1), periods(1)),
    "keltner": st.builds(Keltner, periods(1), periods(1), _MULTIPLES),
    "ma_cross": st.builds(
        lambda pair, kind: MaCross(pair[0], pair[1], kind), _two_periods(), st.sampled_from(MovingAverageKind)
    ),
    "macd": st.builds(lambda pair, signal: Macd(pair[0], pair[1], signal), _two_periods(), periods(1)),
    "roc_momentum": _roc_momentum(),
    "rsi": st.builds(lambda period, levels: Rsi(period, *levels), periods(2), _levels()),
    "rsi_trend": st.builds(
        lambda period, levels, trend: RsiTrend(period, levels[0], levels[1], trend),
        periods(2),
        _levels(),
        periods(2),
    ),
    "rules": custom_rules(),
    "stochastic": st.builds(
        lambda period, smoothing, signal, levels: Stochastic(period, smoothing, signal, *levels),
        periods(1),
        st.integers(1, 5),
        st.integers(1, 5),
        _levels(),
    ),
    "supertrend": st.builds(Supertrend, periods(1), _MULTIPLES),
}


def trading_strategies() -> st.SearchStrategy[Strategy]:
    """Draw one of the strategies with valid parameters."""
    return st.one_of(*PARAMETERS.values())


def costs() -> st.SearchStrategy[Execution]:
    """Draw costs and a capital; everything else is as by default."""
    return st.builds(Execution, **_COSTS)


_COSTS = {
    "fee_rate": st.one_of(st.sampled_from([0.0, 0.001]), st.floats(1e-5, 0.05)),
    "slippage_bps": st.one_of(st.just(0.0), st.floats(0.1, 200)),
    "initial_capital": st.one_of(st.just(10_000.0), st.floats(1e-2, 1e12)),
    "allow_high_costs": st.just(True),
}


def _distances() -> st.SearchStrategy[Distance | None]:
    return st.one_of(
        st.none(),
        st.builds(Distance, fraction=st.one_of(st.floats(0.002, 0.1), st.floats(0.01, 1.0))),
        st.builds(Distance, atr_multiple=st.one_of(st.floats(0.3, 4), st.floats(0.1, 1_000))),
    )


def _stops() -> st.SearchStrategy[dict[str, Distance | None]]:
    return st.fixed_dictionaries(
        {"stop_loss": _distances(), "take_profit": _distances(), "trailing_stop": _distances()}
    )


_RATES = st.one_of(st.just(0.0), st.floats(0.01, 1.0), st.floats(-100, -0.01), st.floats(1, 100))


@st.composite
def executions(draw) -> Execution:
    """Draw everything that an execution can be: fill time, direction, size, stops, costs, loans, breaks."""
    chosen = {name: draw(value) for name, value in _COSTS.items()}
    capital = chosen["initial_capital"]
    sizes = [
        {},
        {"equity_fraction": draw(st.floats(0.01, 1.0))},
        {"quote_amount": capital * draw(st.floats(0.05, 2.0))},
        {
            "volatility_target": VolatilityTarget(
                draw(st.one_of(st.floats(0.05, 3.0), st.floats(1e-3, 100))), draw(periods(2))
            )
        },
    ]
    return Execution(
        **chosen,
        **draw(st.sampled_from(sizes)),
        fill_time=draw(st.sampled_from(FillTime)),
        direction=draw(st.sampled_from(Direction)),
        **draw(st.one_of(st.just({}), _stops())),
        atr_period=draw(periods(1)),
        break_rule=draw(st.sampled_from(BreakRule)),
        borrow_rate=draw(_RATES),
        funding_rate=draw(_RATES),
    )
