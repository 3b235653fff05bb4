"""Slow stochastic: buy where it turns up while oversold, sell where it turns down while overbought."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import integer, number, order_violation
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Stochastic(Strategy):
    """Buy where %K crosses above %D < oversold, sell where %K crosses below %D > overbought."""

    name: ClassVar[str] = "stochastic"
    summary: ClassVar[str] = "Buys where %K crosses above %D while oversold, sells the other way round."

    period: int = integer(14, 1, MAX_PERIOD, "Candles of the range.")
    smoothing: int = integer(3, 1, MAX_PERIOD, "Candles of the average that makes %K.")
    signal: int = integer(3, 1, MAX_PERIOD, "Candles of the average of %K that makes %D.")
    oversold: float = number(20.0, 0.0, 100.0, "Buy below this %D.")
    overbought: float = number(80.0, 0.0, 100.0, "Sell above this %D.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """Oversold must be below overbought."""
        return order_violation(self, prefix, "oversold", "overbought")

    def rules(self) -> Rules:
        """Look for crossings of %K and %D beyond the two levels."""
        k = call("stochastic_k", HIGH, LOW, CLOSE, self.period, self.smoothing)
        d = call("stochastic_d", HIGH, LOW, CLOSE, self.period, self.smoothing, self.signal)
        return Rules(
            entry=call("crosses_above", k, d) & (d < self.oversold),
            exit=call("crosses_below", k, d) & (d > self.overbought),
        )
