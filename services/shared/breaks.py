"""Breaks: where a history goes on at another magnitude, as after a relist under an old symbol."""

from dataclasses import dataclass

import numpy as np

from services.shared.candles import Candles
from services.shared.interval import Interval

_GAP_S = 24 * 3600
_FACTOR = 10


@dataclass(frozen=True, slots=True)
class Break:
    """A long gap across which the price changes by a factor of 10 or more.

    `before_s` and `after_s` are the opening times (Unix seconds) of the candles on both sides, `close` and
    `open` the prices there, in the quote currency.
    """

    before_s: int
    after_s: int
    close: float
    open: float


def find_breaks(candles: Candles, interval: Interval) -> list[Break]:
    """Return the breaks of a history, in order of time; only its time, open and close are looked at.

    The gap lasts 24 hours or longer. A change without a gap is a crash or a rally, and no break.
    """
    before, after = candles.close[:-1], candles.open[1:]
    gap_s = np.diff(candles.open_time_s) - interval.seconds
    # Multiplied, as a quotient of such prices could overflow.
    is_break = (gap_s >= _GAP_S) & (np.maximum(before, after) >= _FACTOR * np.minimum(before, after))
    return [
        Break(
            before_s=int(candles.open_time_s[position]),
            after_s=int(candles.open_time_s[position + 1]),
            close=float(candles.close[position]),
            open=float(candles.open[position + 1]),
        )
        for position in np.flatnonzero(is_break).tolist()
    ]
