"""RSI with a trend filter: buy dips, but not in a falling market."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import integer, number, order_violation
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class RsiTrend(Strategy):
    """Buy when RSI < oversold and close > its average, sell when RSI > overbought."""

    name: ClassVar[str] = "rsi_trend"
    summary: ClassVar[str] = "Buys when the RSI is below oversold in a rising trend, sells above overbought."

    period: int = integer(14, 2, MAX_PERIOD, "Candles that Wilder's smoothing looks back.")
    oversold: float = number(30.0, 0.0, 100.0, "Buy below this RSI.")
    overbought: float = number(70.0, 0.0, 100.0, "Sell above this RSI.")
    trend: int = integer(200, 2, MAX_PERIOD, "Candles of the trend's simple average.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """Oversold must be below overbought."""
        return order_violation(self, prefix, "oversold", "overbought")

    def rules(self) -> Rules:
        """Compare the RSI of the closes with the two levels, and the closes with their average."""
        rsi = call("rsi", CLOSE, self.period)
        rising = CLOSE > call("sma", CLOSE, self.trend)
        return Rules(entry=(rsi < self.oversold) & rising, exit=rsi > self.overbought)
