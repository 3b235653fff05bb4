"""Crossing moving averages."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import choice, integer, order_violation
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


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
        return order_violation(self, prefix, "fast", "slow")

    def rules(self) -> Rules:
        """Compare the two averages of the closes."""
        average = self.kind.lower()
        fast, slow = call(average, CLOSE, self.fast), call(average, CLOSE, self.slow)
        return Rules(entry=fast > slow, exit=fast < slow)
