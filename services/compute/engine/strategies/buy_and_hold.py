"""Buy once and hold."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from services.compute.engine.strategies.base import Signals, Strategy
from services.shared.candles import Candles


@dataclass(frozen=True)
class BuyAndHold(Strategy):
    """Bought at the second candle's open (the signal is on the first close), never sold."""

    name: ClassVar[str] = "buy_and_hold"
    summary: ClassVar[str] = "Buys at the second candle's open and holds to the end."

    @property
    def warmup_candles(self) -> int:
        """None: there is no indicator."""
        return 0

    def signals(self, candles: Candles) -> Signals:
        """Want to be long at every close."""
        return Signals(buy=np.ones(len(candles), np.bool_), sell=np.zeros(len(candles), np.bool_))
