"""Keltner breakout: buy above the channel, sell below its middle."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.parameters import integer, number
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Keltner(Strategy):
    """Buy when close > upper channel, sell when close < exponential average."""

    name: ClassVar[str] = "keltner"
    summary: ClassVar[str] = "Buys closes above the upper Keltner channel, sells those below its middle."

    period: int = integer(20, 1, MAX_PERIOD, "Candles of the exponential average.")
    atr_period: int = integer(10, 1, MAX_PERIOD, "Candles of the average true range.")
    multiple: float = number(
        2.0, 0.01, 100.0, "Distance of the channel from the average, in average true ranges."
    )

    def rules(self) -> Rules:
        """Compare the closes with the channel and its middle."""
        upper = call("keltner_upper", HIGH, LOW, CLOSE, self.period, self.atr_period, self.multiple)
        return Rules(entry=CLOSE > upper, exit=CLOSE < call("ema", CLOSE, self.period))
