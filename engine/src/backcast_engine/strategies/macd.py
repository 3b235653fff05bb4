"""Moving average convergence/divergence."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import integer, order_violation
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Macd(Strategy):
    """Long while the MACD is above its signal, flat while it is below."""

    name: ClassVar[str] = "macd"
    summary: ClassVar[str] = "Is long while the MACD is above its signal."

    fast: int = integer(12, 1, MAX_PERIOD, "Candles of the fast exponential average.")
    slow: int = integer(26, 2, MAX_PERIOD, "Candles of the slow exponential average.")
    signal: int = integer(9, 1, MAX_PERIOD, "Candles of the average of the difference.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """The fast average must look back less than the slow one."""
        return order_violation(self, prefix, "fast", "slow")

    def rules(self) -> Rules:
        """Compare the MACD with its signal."""
        periods = self.fast, self.slow, self.signal
        macd, signal = call("macd", CLOSE, *periods), call("macd_signal", CLOSE, *periods)
        return Rules(entry=macd > signal, exit=macd < signal)
