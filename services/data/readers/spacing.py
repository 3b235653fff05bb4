"""Candles of another length than they are said to be, told by the distances between them.

At midnight, a daily candle is on the hourly grid, and so is one minute candle of sixty: row by row they look
right, and whole histories of them would be stored as something that they are not.
"""

import numpy as np

from services.data.candle_rules import off_grid_reason
from services.data.readers.report import Rejection
from services.shared.candles import Candles
from services.shared.errors import InvalidInput
from services.shared.interval import Interval

# Fewer may look so by chance: where nothing was traded in between, or a few times are just wrong.
_TELLING_CANDLES = 10


def refuse_other_lengths(candles: Candles, rejections: tuple[Rejection, ...], interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, where the candles of a file cannot be of `interval`."""
    off_grid = sum(rejection.reason == off_grid_reason(interval) for rejection in rejections)
    if off_grid >= _TELLING_CANDLES and off_grid > len(candles):
        raise InvalidInput.of(
            "file", f"most of its times are not on the {interval.value} grid: its candles are shorter"
        )
    if len(candles) >= _TELLING_CANDLES:
        spacing_s = int(np.gcd.reduce(np.diff(candles.open_time_s)))
        if spacing_s > interval.seconds:
            raise InvalidInput.of(
                "file",
                f"its candles are {spacing_s // interval.seconds} × {interval.value} apart, "
                f"and not {interval.value} long",
            )
