"""What every strategy is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from services.compute.engine.parameters import range_violations
from services.shared.candles import Candles
from services.shared.errors import Violation

# A period of which no strategy makes sense any more: over a year of hourly candles.
MAX_PERIOD = 10_000


@dataclass(frozen=True, slots=True)
class Signals:
    """What the strategy wants at each close: bool columns of shape (n,).

    `buy` counts while flat, `sell` while long; both fill at the next candle's open.
    """

    buy: NDArray[np.bool_]
    sell: NDArray[np.bool_]


@dataclass(frozen=True)
class Strategy(ABC):
    """A trading strategy; its dataclass fields are its parameters."""

    name: ClassVar[str]
    summary: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ("close",)
    """The columns of the candles that `signals` reads; the time is always there, others may be empty."""

    def violations(self) -> list[Violation]:
        """Return a violation for each parameter that is out of range, or in conflict with another."""
        prefix = f"strategy.{self.name}"
        return range_violations(self, prefix) or self.conflicts(prefix)

    def conflicts(self, prefix: str) -> list[Violation]:
        """Return violations between parameters that are each within their range."""
        return []

    @property
    @abstractmethod
    def warmup_candles(self) -> int:
        """How many candles before the window the indicators want to see."""

    @abstractmethod
    def signals(self, candles: Candles) -> Signals:
        """Return the signals over warm-up and window; those at t depend on candles up to t only."""
