"""Relative strength index: buy oversold, sell overbought."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import integer, number, order_violation
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Rsi(Strategy):
    """Buy when RSI < oversold, sell when RSI > overbought."""

    name: ClassVar[str] = "rsi"
    summary: ClassVar[str] = "Buys when the RSI is below oversold, sells when it is above overbought."

    period: int = integer(14, 2, MAX_PERIOD, "Candles that Wilder's smoothing looks back.")
    oversold: float = number(30.0, 0.0, 100.0, "Buy below this RSI.")
    overbought: float = number(70.0, 0.0, 100.0, "Sell above this RSI.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """Oversold must be below overbought."""
        return order_violation(self, prefix, "oversold", "overbought")

    def rules(self) -> Rules:
        """Compare the RSI of the closes with the two levels."""
        rsi = call("rsi", CLOSE, self.period)
        return Rules(entry=rsi < self.oversold, exit=rsi > self.overbought)
