"""Supertrend: follow the trend as long as it does not fall back by some average true ranges."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.parameters import integer, number
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Supertrend(Strategy):
    """Long while the close is above the supertrend line, flat while it is below."""

    name: ClassVar[str] = "supertrend"
    summary: ClassVar[str] = "Is long while the close is above the supertrend line."

    period: int = integer(10, 1, MAX_PERIOD, "Candles of the average true range.")
    multiple: float = number(
        3.0, 0.01, 100.0, "Distance of the bands from the middle, in average true ranges."
    )

    def rules(self) -> Rules:
        """Compare the closes with the line."""
        line = call("supertrend", HIGH, LOW, CLOSE, self.period, self.multiple)
        return Rules(entry=CLOSE > line, exit=CLOSE < line)
