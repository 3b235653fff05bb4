"""Buy once and hold."""

from dataclasses import dataclass
from typing import ClassVar

from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE
from backcast_engine.strategies.base import Strategy


@dataclass(frozen=True)
class BuyAndHold(Strategy):
    """Buys on the first close, which fills at the second candle's open by default, and never sells."""

    name: ClassVar[str] = "buy_and_hold"
    summary: ClassVar[str] = "Buys at the second candle's open and holds to the end."

    def rules(self) -> Rules:
        """Want to be long at every close: prices are above zero."""
        return Rules(entry=CLOSE > 0)
