"""Bollinger bands: buy below the lower band."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from backcast_engine.parameters import choice, integer, number
from backcast_engine.rules import Rules
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.signature import MAX_PERIOD
from backcast_engine.strategies.base import Strategy


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

    def rules(self) -> Rules:
        """Compare the closes with the bands."""
        lower = call("bollinger_lower", CLOSE, self.period, self.width)
        if self.exit_band is ExitBand.UPPER:
            exit_level = call("bollinger_upper", CLOSE, self.period, self.width)
        else:
            exit_level = call("sma", CLOSE, self.period)
        return Rules(entry=CLOSE < lower, exit=CLOSE > exit_level)
