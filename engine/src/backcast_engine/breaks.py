"""Breaks: points in a history where the prices before and after are not prices of the same thing.

A symbol that is listed again may be another crypto, and a redenomination changes what one unit is. Both
appear as a jump of the price between two neighbouring hourly candles. A crash does not: it trades at the
prices in between, so each candle opens near the close before it.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import Candles

_HOUR_S = 3600
# The settling time: a price that does not come back within it is right, and a gap this long means a
# relisting.
SETTLING_S = 24 * _HOUR_S
_FACTOR = 10
# Tolerance for logarithms of prices: a price exactly in the middle is not nearer.
_ROUNDING = 1e-9


class BreakState(Enum):
    """How a break came to be stored: detected by an import, or set by hand."""

    DETECTED = "detected"
    CONFIRMED = "confirmed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Break:
    """A break between two neighbouring candles of an hourly history.

    `before_s` and `after_s` are the opening times (Unix seconds) of the candles on both sides, `close` and
    `open` the prices there, in the quote currency.
    """

    before_s: int
    after_s: int
    close: float
    open: float


def find_breaks(candles: Candles) -> list[Break]:
    """Return the breaks of an hourly history, in order of time; only time, open and close are used.

    A break is a change by a factor of 10 or more from a close to the next candle's open,

    - after a gap of 24 hours or more, or
    - after a shorter gap or none, if the price does not come back: no close of the next 24 hours is nearer
      (in ratio) to the price before than to the price after. A price that comes back was wrong in between,
      and neither the jump out nor the jump back is a break. If the data ends earlier, it counts as a break.
    """
    breaks = []
    # Position of the candle at which a wrong price came back, and the price before the wrong one.
    back_at, left = 0, 0.0
    for position in jumps(candles).tolist():
        after = position + 1
        if after < back_at or (after == back_at and not _is_jump(left, candles.close[after])):
            continue
        if candles.open_time_s[after] - candles.open_time_s[position] - _HOUR_S < SETTLING_S:
            came_back = _came_back(candles, position)
            if came_back is not None:
                back_at, left = came_back, candles.close[position]
                continue
        breaks.append(break_at(candles, after))
    return breaks


def jumps(candles: Candles) -> NDArray[np.intp]:
    """Return the positions of candles after which the price changes by a factor of 10 or more."""
    before, after = candles.close[:-1], candles.open[1:]
    # A shortcut: if no two prices are that far apart, no neighbours are.
    if not len(before) or (before.max() < _FACTOR * after.min() and after.max() < _FACTOR * before.min()):
        return np.empty(0, np.intp)
    # Multiplied, because a quotient of such prices could overflow.
    return np.flatnonzero(np.maximum(before, after) >= _FACTOR * np.minimum(before, after))


def break_at(candles: Candles, position: int) -> Break:
    """Return the break between a candle and the one before it."""
    return Break(
        before_s=int(candles.open_time_s[position - 1]),
        after_s=int(candles.open_time_s[position]),
        close=float(candles.close[position - 1]),
        open=float(candles.open[position]),
    )


def _is_jump(before: float, after: float) -> bool:
    return max(before, after) >= _FACTOR * min(before, after)


def _came_back(candles: Candles, position: int) -> int | None:
    """Return the position of the first candle after a jump that closes nearer to the price before it.

    Only candles within the settling time count; None if there is no such candle.
    """
    first = position + 1
    end = int(np.searchsorted(candles.open_time_s, candles.open_time_s[first] + SETTLING_S))
    before, after = np.log(candles.close[position]), np.log(candles.open[first])
    closes = np.log(candles.close[first:end])
    is_back = np.abs(closes - before) < np.abs(closes - after) - _ROUNDING
    return first + int(np.argmax(is_back)) if is_back.any() else None
