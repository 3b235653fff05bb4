"""How long a file's candles are, told by the distances between them.

At midnight, a daily candle is on the hourly grid, and so is one minute candle of sixty: row by row they look
right, and whole histories of them would be stored as something that they are not.
"""

import numpy as np

from services.data.candle_rules import off_grid
from services.shared.candles import TimeColumn
from services.shared.errors import InvalidInput
from services.shared.interval import Interval

# Fewer may look so by chance: where nothing was traded in between, or a few times are just wrong.
_TELLING_CANDLES = 10


def length_of(open_time_s: TimeColumn, interval: Interval) -> int:
    """Return how many seconds long the candles are: the interval's, or one of which it is a multiple.

    `open_time_s` ascend, of shape (n,); times may be there twice. It is the usual distance, where most
    distances are like that, or most of many candles could not be the interval's; a few times may be wrong.
    """
    distances = np.diff(open_time_s)
    distances, counts = np.unique(distances[distances > 0], return_counts=True)
    if not len(distances):
        return interval.seconds
    usual_s = int(distances[np.argmax(counts)])
    if usual_s % 60 or usual_s >= interval.seconds or interval.seconds % usual_s:
        return interval.seconds
    is_most = 2 * counts.max() > counts.sum()
    off = int(off_grid(open_time_s, interval).sum())
    is_shorter = is_most or (off >= _TELLING_CANDLES and 2 * off > len(open_time_s))
    return usual_s if is_shorter else interval.seconds


def refuse_off_grid(off_grid: int, candles: int, interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, where more rows are off the grid than on it."""
    if off_grid >= _TELLING_CANDLES and off_grid > candles:
        raise InvalidInput.of(
            "file", f"most of its times are not on the {interval.value} grid: its candles are shorter"
        )


def refuse_longer(open_time_s: TimeColumn, length_s: int, interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, where candles are longer than the interval.

    `length_s` is what the content tells, or the interval's length.
    """
    if length_s == interval.seconds and len(open_time_s) >= _TELLING_CANDLES:
        length_s = max(length_s, int(np.gcd.reduce(np.diff(open_time_s))))
    if length_s > interval.seconds or interval.seconds % length_s:
        raise InvalidInput.of(
            "file", f"its candles are {said(length_s)} long: {interval.value} cannot be made of them"
        )


def said(length_s: int) -> str:
    """Return a length in the largest unit that it is a whole number of."""
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    name, number = next((name, length_s // unit_s) for name, unit_s in units if length_s % unit_s == 0)
    return f"{number} {name}{'s' * (number != 1)}"
