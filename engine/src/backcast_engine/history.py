"""A crypto's history for backtests: candles, breaks, partial candles, and what rules look at beside it.

Apart from `breaks` and `candles`, of which it is made: backtests know it, and imports do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from backcast_engine.breaks import Break
from backcast_engine.candles import Candles, TimeColumn
from backcast_engine.times import EARLIEST_S


@dataclass(frozen=True, slots=True)
class PartialCandles:
    """Longer candles that were aggregated from fewer hours than they span; columns of shape (k,).

    `open_time_s` is int64 in ascending order, in Unix seconds; `hours` is int64, the number of hourly candles
    of each.
    """

    open_time_s: TimeColumn
    hours: NDArray[np.int64]

    @classmethod
    def none(cls) -> Self:
        """Return no partial candles, as for hourly histories."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class History:
    """Candles of one length, and the breaks of the hourly history that they come from, in order of time.

    Candles longer than an hour that have not ended by the end of the data are not included. Candles that open
    before `since_s` (Unix seconds) may be missing; breaks and partial candles are always those of all.
    `others` are the histories of the cryptos that rules look at, by symbol, with candles of the same length.
    """

    candles: Candles
    breaks: tuple[Break, ...] = ()
    partial: PartialCandles = field(default_factory=PartialCandles.none)
    since_s: int = EARLIEST_S
    others: Mapping[str, "History"] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether no candle is missing."""
        return self.since_s <= EARLIEST_S


class HistoryTooShort(Exception):  # no failure: whoever asked brings the whole history
    """The result depends on candles that this history, which is not whole, may have left out."""
