"""Detects files whose rows are of two markets or cryptos without saying so.

Such a file has two different candles for the same times, or prices that jump back and forth between two
levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from backcast_engine.times import utc
from services.ingest.quality.contradictions import (
    LARGEST_FACTOR,
    LARGEST_SHARE,
    candles_differ,
    price_factors,
)

# A few rows may be corrected by later ones, however few rows there are.
_FEWEST_CONTRADICTIONS = 2
# The number of jumps there and back, and their share of the candles, above which a price is not of one
# market.
_FEWEST_RETURNS, _SHARE_OF_CHANGES = 3, 0.1


@dataclass(slots=True)
class Contradictions:
    """The rows of one file that contradict the row that was taken for the same time.

    `row_name` is the word for the file's rows: line or record.
    """

    row_name: str
    _count: int = 0
    _factor: float = 1.0
    _first: str = field(default="")

    def add(self, candles: Candles, lines: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> None:
        """Add pairs of positions (earlier, later), in order of time; `lines` are the rows' numbers, (n,)."""
        if not pairs:
            return
        earlier, later = np.array(pairs).T
        ones, others = candles.at(earlier), candles.at(later)
        contradicts = candles_differ(ones, others) & ~_was_still_open(ones, others)
        if not contradicts.any():
            return
        place = int(np.argmax(contradicts))
        if not self._count:
            self._first = (
                f"the first at {utc(int(ones.open_time_s[place]))}: close {ones.close[place]} in "
                f"{self.row_name} {lines[earlier[place]]}, {others.close[place]} in {lines[later[place]]}"
            )
        self._count += len(np.unique(ones.open_time_s[contradicts]))
        self._factor = max(self._factor, float(price_factors(ones, others)[contradicts].max()))

    def check(self, candles: int) -> None:
        """Raise InvalidInput, of the field `file`, if its rows are not of one market.

        `candles` is the number of different times in the file.
        """
        is_much = self._count >= _FEWEST_CONTRADICTIONS and self._count > LARGEST_SHARE * candles
        if is_much or self._factor > LARGEST_FACTOR:
            raise InvalidInput.of(
                "file",
                f"its rows contradict each other for {self._count:,} of {candles:,} times, {self._first}: "
                "--on-conflict replace takes the later rows, keep the earlier ones",
            )


def refuse_alternating(candles: Candles) -> None:
    """Raise InvalidInput, of the field `file`, if prices jump back and forth between two levels.

    That is the case if neighbouring candles differ by a factor above 1.5, from the high of one to the low of
    the other, upwards and downwards, at more than a tenth of the candles.
    """
    high, low = candles.high, candles.low
    if not len(candles) or low.max() <= LARGEST_FACTOR * high.min():
        return  # a shortcut: all candles are near each other
    is_up = low[1:] / LARGEST_FACTOR > high[:-1]
    is_down = low[:-1] / LARGEST_FACTOR > high[1:]
    returns = min(int(is_up.sum()), int(is_down.sum()))
    if returns >= _FEWEST_RETURNS and 2 * returns > _SHARE_OF_CHANGES * len(candles):
        place = int(np.argmax(is_up | is_down))
        raise InvalidInput.of(
            "file",
            f"its prices jump back and forth {returns:,} times, as those of two markets, first from "
            f"{candles.close[place]} to {candles.close[place + 1]} at "
            f"{utc(int(candles.open_time_s[place + 1]))}: --on-conflict replace takes them as they are",
        )


def _was_still_open(earlier: Candles, later: Candles) -> NDArray[np.bool_]:
    """Return which earlier rows can be the later row's candle before it closed: files are appended to."""
    was_open: NDArray[np.bool_] = (
        (earlier.open == later.open)
        & (earlier.high <= later.high)
        & (earlier.low >= later.low)
        & (earlier.volume <= later.volume)
    )
    return was_open
