"""A crypto's history as backtests take it: candles, its breaks, and which of the candles are partial."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.domain.breaks import Break
from services.domain.candles import Candles, TimeColumn


@dataclass(frozen=True, slots=True)
class PartialCandles:
    """Longer candles that were made of fewer hourly candles than their time holds; columns of shape (k,).

    `open_time_s` is int64 in ascending order, in Unix seconds; `hours` is int64: of how many hourly candles
    each was made.
    """

    open_time_s: TimeColumn
    hours: NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """Return no candles, as hourly histories have it."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class History:
    """Candles of one length, and the breaks of the hourly history that they come from, in order of time.

    Of candles longer than an hour, those whose time has not passed by the end of the data are not here.
    """

    candles: Candles
    breaks: tuple[Break, ...] = ()
    partial: PartialCandles = field(default_factory=PartialCandles.none)
