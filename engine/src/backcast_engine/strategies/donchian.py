"""Donchian breakout, the turtles' rule: buy new highs, sell new lows."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.parameters import integer
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, HIGH, LOW, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class Donchian(Strategy):
    """Buy when close > highest high before, sell when close < lowest low before."""

    name: ClassVar[str] = "donchian"
    summary: ClassVar[str] = "Buys closes above the highest high before, sells those below the lowest low."

    entry: int = integer(20, 1, MAX_PERIOD, "Candles whose highest high is to be exceeded.")
    exit: int = integer(10, 1, MAX_PERIOD, "Candles whose lowest low is to be undercut.")

    def rules(self) -> Rules:
        """Compare the closes with the channel of the candles before: a close is never above its own high."""
        upper = call("shift", call("highest", HIGH, self.entry), 1)
        lower = call("shift", call("lowest", LOW, self.exit), 1)
        return Rules(entry=CLOSE > upper, exit=CLOSE < lower)
