"""Momentum by the rate of change: buy rising prices, sell falling ones."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.errors import Violation
from backcast_engine.parameters import integer, number
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class RocMomentum(Strategy):
    """Buy when the rate of change > buy_above, sell when it < sell_below."""

    name: ClassVar[str] = "roc_momentum"
    summary: ClassVar[str] = "Buys when the rate of change is above buy_above, sells when below sell_below."

    period: int = integer(20, 1, MAX_PERIOD, "Candles over which the change is measured.")
    buy_above: float = number(0.0, -100.0, 1e6, "Buy above this rate of change, in percent.")
    sell_below: float = number(0.0, -100.0, 1e6, "Sell below this rate of change, in percent.")

    def conflicts(self, prefix: str) -> list[Violation]:
        """A close must not be both a buy and a sell signal."""
        if self.sell_below > self.buy_above:
            reason = f"must be at most buy_above ({self.buy_above:g}), not {self.sell_below:g}"
            return [Violation(f"{prefix}.sell_below", reason)]
        return []

    def rules(self) -> Rules:
        """Compare the rate of change of the closes with the two levels."""
        roc = call("roc", CLOSE, self.period)
        return Rules(entry=roc > self.buy_above, exit=roc < self.sell_below)
