"""Relative strength index: buy oversold, sell overbought."""

from dataclasses import dataclass
from typing import ClassVar

from services.compute.engine.indicators import rsi
from services.compute.engine.parameters import integer, number
from services.compute.engine.strategies.base import MAX_PERIOD, Signals, Strategy
from services.shared.candles import Candles
from services.shared.errors import Violation


@dataclass(frozen=True)
class Rsi(Strategy):
    """Buy when flat and RSI < oversold, sell when long and RSI > overbought."""

    name: ClassVar[str] = "rsi"
    summary: ClassVar[str] = "Buys when the RSI is below oversold, sells when it is above overbought."

    period: int = integer(14, 2, MAX_PERIOD, "Candles that Wilder's smoothing looks back.")
    oversold: float = number(30.0, 0.0, 100.0, "Buy below this RSI.")
    overbought: float = number(70.0, 0.0, 100.0, "Sell above this RSI.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """Oversold must be below overbought."""
        if self.oversold >= self.overbought:
            return [
                Violation(
                    f"{prefix}.oversold",
                    f"must be below overbought ({self.overbought:g}), not {self.oversold:g}",
                )
            ]
        return []

    @property
    def warmup_candles(self) -> int:
        """Wilder's smoothing never forgets; after 20 periods e^-20 (2e-9) of what came before is left."""
        return 20 * self.period

    def signals(self, candles: Candles) -> Signals:
        """Compare the RSI of the closes with the two levels."""
        values = rsi(candles.close, self.period)
        return Signals(buy=values < self.oversold, sell=values > self.overbought)
