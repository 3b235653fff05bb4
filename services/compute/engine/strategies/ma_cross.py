"""Crossing moving averages."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from services.compute.engine.indicators import ema, sma
from services.compute.engine.parameters import choice, integer
from services.compute.engine.strategies.base import MAX_PERIOD, Signals, Strategy
from services.shared.candles import Candles
from services.shared.errors import Violation


class MovingAverageKind(StrEnum):
    """How a moving average weighs its candles."""

    SMA = "SMA"
    EMA = "EMA"


@dataclass(frozen=True)
class MaCross(Strategy):
    """Long while the fast average is above the slow one, flat while it is below."""

    name: ClassVar[str] = "ma_cross"
    summary: ClassVar[str] = "Is long while the fast moving average is above the slow one."

    fast: int = integer(20, 1, MAX_PERIOD, "Candles of the fast average.")
    slow: int = integer(50, 2, MAX_PERIOD, "Candles of the slow average.")
    kind: MovingAverageKind = choice(MovingAverageKind.SMA, "Simple or exponential average.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """The fast average must look back less than the slow one."""
        if self.fast >= self.slow:
            return [Violation(f"{prefix}.fast", f"must be below slow ({self.slow}), not {self.fast}")]
        return []

    @property
    def warmup_candles(self) -> int:
        """A simple mean needs its period; an exponential one forgets all but e^-20 in ten of them."""
        return self.slow - 1 if self.kind is MovingAverageKind.SMA else 10 * self.slow

    def signals(self, candles: Candles) -> Signals:
        """Compare the two averages of the closes."""
        average = sma if self.kind is MovingAverageKind.SMA else ema
        fast, slow = average(candles.close, self.fast), average(candles.close, self.slow)
        return Signals(buy=fast > slow, sell=fast < slow)
