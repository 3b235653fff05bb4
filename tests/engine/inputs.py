"""What the tests feed the engine with: candles by hand, random ones, real ones, and a scripted strategy."""

import csv
import gzip
import math
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import strategies as st

from services.compute.engine import Execution, Strategy, Window
from services.compute.engine.strategies import Signals
from services.compute.engine.strategies.bollinger import Bollinger, ExitBand
from services.compute.engine.strategies.buy_and_hold import BuyAndHold
from services.compute.engine.strategies.ma_cross import MaCross, MovingAverageKind
from services.compute.engine.strategies.rsi import Rsi
from services.shared.candles import Candles
from services.shared.interval import Interval

MONDAY_S = 1_704_067_200  # 2024-01-01 00:00 UTC, on every interval's grid
FREE = Execution(fee_rate=0.0, slippage_bps=0.0, initial_capital=1_000.0)

REAL_CANDLES = Path(__file__).parents[3] / "shared" / "market-data" / "csv-1h"


def make_candles(opens, closes=None, interval=Interval.HOUR_1, at=None) -> Candles:
    """Make candles at the grid positions `at` (0, 1, 2... without gaps); closes are the opens by default."""
    opens = np.array(opens, np.float64)
    closes = opens.copy() if closes is None else np.array(closes, np.float64)
    positions = np.arange(len(opens)) if at is None else np.array(at)
    return Candles(
        open_time_s=(MONDAY_S + positions * interval.seconds).astype(np.int64),
        open=opens,
        high=np.maximum(opens, closes),
        low=np.minimum(opens, closes),
        close=closes,
        volume=np.ones(len(opens)),
    )


def all_of(candles: Candles, interval: Interval = Interval.HOUR_1) -> Window:
    """Return the window from the first candle to the last one."""
    return Window(int(candles.open_time_s[0]), int(candles.open_time_s[-1]) + interval.seconds)


@dataclass(frozen=True)
class Scripted(Strategy):
    """Signals at the given times, whatever the prices: lets a test speak about fills alone."""

    name: ClassVar[str] = "scripted"
    summary: ClassVar[str] = "Does as it is told."

    buy_at: tuple[int, ...] = ()
    sell_at: tuple[int, ...] = ()
    warmup: int = 0

    @property
    def warmup_candles(self) -> int:
        return self.warmup

    def signals(self, candles: Candles) -> Signals:
        position = (candles.open_time_s - MONDAY_S) // 3_600
        return Signals(buy=np.isin(position, self.buy_at), sell=np.isin(position, self.sell_at))


@cache
def real_candles(symbol: str) -> Candles:
    """Return a crypto's real hourly candles; skips the test when they are not on this machine."""
    path = REAL_CANDLES / f"{symbol}.csv.gz"
    if not path.exists():
        pytest.skip(f"NO REAL CANDLES: {path} is missing")
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    times = np.array([row[0][:19] for row in rows], "datetime64[s]").astype(np.int64)
    return Candles(times, *np.array([row[1:6] for row in rows], np.float64).T.copy())


# Random inputs. Hypothesis draws the shape of a history and a seed; a generator fills in the prices.


@st.composite
def histories(draw, interval: Interval) -> Candles:
    """Draw 1 to some 300 candles: calm and wild walks, swings, rises, falls, flat stretches and gaps."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    price = 10.0 ** draw(st.integers(-9, 12)) * rng.uniform(1, 10)
    kinds = st.sampled_from(["swing", "walk", "wild", "flat", "rise", "fall", "gap"])
    lengths = st.one_of(st.just(50), st.integers(1, 60))
    parts = draw(st.lists(st.tuples(kinds, lengths), min_size=draw(st.sampled_from([4, 1])), max_size=8))
    position, at, opens, closes = 0, [], [], []
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
            at.append(position)
            opens.append(opened)
            closes.append(price)
            position += 1
    return make_candles(opens, closes, interval, at)


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
def _rsi(draw) -> Rsi:
    oversold = draw(st.one_of(st.sampled_from([45.0, 30.0]), st.floats(0, 99)))
    above = st.floats(oversold, 100, exclude_min=True)
    overbought = draw(above if oversold >= 50 else st.one_of(st.sampled_from([55.0, 70.0, 100.0]), above))
    return Rsi(draw(periods(2)), oversold, overbought)


@st.composite
def _ma_cross(draw) -> MaCross:
    fast = draw(periods(1))
    return MaCross(fast, fast + draw(periods(1)), draw(st.sampled_from(MovingAverageKind)))


# By name, valid parameters of each.
PARAMETERS = {
    "rsi": _rsi(),
    "ma_cross": _ma_cross(),
    "bollinger": st.builds(
        Bollinger,
        periods(2),
        st.one_of(st.sampled_from([0.5, 0.9, 1.5]), st.floats(0.01, 4.0), st.floats(0.01, 100.0)),
        exit_band=st.sampled_from(ExitBand),
    ),
    "buy_and_hold": st.builds(BuyAndHold),
}


def trading_strategies() -> st.SearchStrategy[Strategy]:
    """Draw one of the four strategies with valid parameters."""
    return st.one_of(*PARAMETERS.values())


def executions() -> st.SearchStrategy[Execution]:
    """Draw costs and a capital."""
    return st.builds(
        Execution,
        fee_rate=st.one_of(st.sampled_from([0.0, 0.001]), st.floats(1e-5, 0.05)),
        slippage_bps=st.one_of(st.just(0.0), st.floats(0.1, 200)),
        initial_capital=st.one_of(st.just(10_000.0), st.floats(1e-2, 1e12)),
    )
