"""Every indicator as a case: the columns it reads and what it gives, and series that are hard on them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backcast_engine import indicators
from backcast_engine.candles import Candles, PriceColumn
from backcast_engine.rules import Evaluation
from backcast_engine.rules.nodes import CLOSE as CLOSE_COLUMN
from backcast_engine.rules.nodes import call

CLOSE, HIGH_LOW, HIGH_LOW_CLOSE = ("close",), ("high", "low"), ("high", "low", "close")


@dataclass(frozen=True)
class Case:
    """An indicator of a period, its other parameters derived from it."""

    columns: tuple[str, ...]
    compute: Callable[..., PriceColumn | tuple[PriceColumn, ...]]
    first: Callable[[int], tuple[int, ...]]
    """The index of the first value of each result."""

    def results(self, columns: list[PriceColumn], period: int) -> tuple[PriceColumn, ...]:
        result = self.compute(*columns, period)
        return result if isinstance(result, tuple) else (result,)

    def of(self, candles: Candles, period: int) -> tuple[PriceColumn, ...]:
        return self.results([getattr(candles, name) for name in self.columns], period)


def bollinger_bands(close, period, width):
    """Return the lower band, the middle and the upper band, as rules evaluate them."""
    # Columns of candles are contiguous.
    close = np.ascontiguousarray(close)
    candles = Candles(3_600 * np.arange(len(close)), close, close, close, close, np.ones(len(close)))
    bands = (call(f"bollinger_{side}", CLOSE_COLUMN, period, width) for side in ("lower", "upper"))
    evaluation = Evaluation(candles)
    lower, upper = map(evaluation.series, bands)
    return lower, evaluation.series(call("sma", CLOSE_COLUMN, period)), upper


def stochastic_of(high, low, close, period):
    k = indicators.stochastic_k(high, low, close, period, 3)
    return k, indicators.sma(k, period)


def keltner_of(high, low, close, period):
    return indicators.keltner_channel(high, low, close, period, period + 2, 1.5)


CASES = {
    "sma": Case(CLOSE, indicators.sma, lambda p: (p - 1,)),
    "ema": Case(CLOSE, indicators.ema, lambda p: (p - 1,)),
    "wma": Case(CLOSE, indicators.wma, lambda p: (p - 1,)),
    "stddev": Case(CLOSE, indicators.stddev, lambda p: (p - 1,)),
    "highest": Case(CLOSE, indicators.highest, lambda p: (p - 1,)),
    "lowest": Case(CLOSE, indicators.lowest, lambda p: (p - 1,)),
    "shift": Case(CLOSE, indicators.shift, lambda p: (p,)),
    "momentum": Case(CLOSE, indicators.momentum, lambda p: (p,)),
    "roc": Case(CLOSE, indicators.roc, lambda p: (p,)),
    "rsi": Case(CLOSE, indicators.rsi, lambda p: (p,)),
    "true_range": Case(HIGH_LOW_CLOSE, lambda h, low, c, p: indicators.true_range(h, low, c), lambda p: (1,)),
    "atr": Case(HIGH_LOW_CLOSE, indicators.atr, lambda p: (p,)),
    "bollinger_bands": Case(CLOSE, lambda c, p: bollinger_bands(c, p, 2.0), lambda p: (p - 1,) * 3),
    "macd": Case(
        CLOSE, lambda c, p: indicators.macd(c, p, p + 7, 5), lambda p: (p + 6, p + 6 + 4, p + 6 + 4)
    ),
    "stochastic": Case(HIGH_LOW_CLOSE, stochastic_of, lambda p: (p - 1 + 2, p - 1 + 2 + p - 1)),
    "supertrend": Case(
        HIGH_LOW_CLOSE, lambda h, low, c, p: indicators.supertrend(h, low, c, p, 2.0), lambda p: (p,)
    ),
    "keltner_channel": Case(HIGH_LOW_CLOSE, keltner_of, lambda p: (p + 2, p - 1, p + 2)),
    "donchian_channel": Case(HIGH_LOW, indicators.donchian_channel, lambda p: (p - 1,) * 2),
}


def walk(seed, length, level=100.0, step=0.02):
    return level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, step, length)))


def with_jump(series, index, size):
    series = series.copy()
    series[index] = size
    return series


HOSTILE = {
    "constant 0.1": np.full(300, 0.1),
    "one jump of 1e12": with_jump(walk(4, 300), 100, 1e12),
    "constant but for a jump": with_jump(np.full(300, 0.1), 150, 1e12),
    "a step of 1e12": np.concatenate([np.full(150, 1e12), walk(5, 150)]),
    "alternating": np.tile([1.0, 3.0], 150),
    "alternating 1e15 and 1e-9": np.tile([1e15, 1e-9], 150),
    "moves of 1 at a price of 1e15": 1e15 + np.random.default_rng(6).integers(-5, 6, 300),
    "moves of 1e-4 at a price of 1e6": 1e6 + 1e-4 * np.random.default_rng(7).random(300),
    "tiny prices": walk(8, 300, 1e-9),
    "subnormal prices": walk(9, 300, 1e-310),
    "prices of 1e15": walk(10, 300, 1e15),
    "three candles": np.array([3.0, 1.0, 2.0]),
    "no movement after a walk": np.concatenate([walk(11, 50), np.full(1_500, 77.7), walk(12, 50)]),
}
