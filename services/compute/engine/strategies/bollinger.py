"""Bollinger bands: buy below the lower band."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from services.compute.engine.indicators import bollinger_bands
from services.compute.engine.parameters import choice, integer, number
from services.compute.engine.strategies.base import MAX_PERIOD, Signals, Strategy
from services.shared.candles import Candles


class ExitBand(StrEnum):
    """The band at which a position is sold."""

    UPPER = "UPPER"
    MIDDLE = "MIDDLE"


@dataclass(frozen=True)
class Bollinger(Strategy):
    """Buy when close < lower band, sell when close > exit band."""

    name: ClassVar[str] = "bollinger"
    summary: ClassVar[str] = "Buys when the close is below the lower band, sells above the exit band."

    period: int = integer(20, 2, MAX_PERIOD, "Candles of the mean and the standard deviation.")
    width: float = number(2.0, 0.01, 100.0, "Distance of the bands from the mean, in standard deviations.")
    exit_band: ExitBand = choice(ExitBand.UPPER, "Where to sell.")

    @property
    def warmup_candles(self) -> int:
        """With one period less a candle, the window's first candle has its bands."""
        return self.period - 1

    def signals(self, candles: Candles) -> Signals:
        """Compare the closes with the bands."""
        lower, middle, upper = bollinger_bands(candles.close, self.period, self.width)
        exit_level = upper if self.exit_band is ExitBand.UPPER else middle
        return Signals(buy=candles.close < lower, sell=candles.close > exit_level)
