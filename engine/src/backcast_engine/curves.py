"""Equity over time: curve, drawdown, downsampling, monthly returns."""

from itertools import pairwise

import numpy as np

from backcast_engine.candles import PriceColumn, TimeColumn
from backcast_engine.results import EquityCurve, MonthlyReturn

# The fewest points: both ends, and the extremes of one stretch.
FEWEST_POINTS = 8
# Points of each stretch: lowest and highest equity, deepest drawdown.
_POINTS_OF_STRETCH = 3


def equity_curve(
    open_time_s: TimeColumn, equity: PriceColumn, capital: float, most_points: int = 0
) -> EquityCurve:
    """Return the curve of `equity`, shape (n,), in at most `most_points` points, or in all n of them for 0.

    The first and the last are among them, and so are the lowest and highest equity and the deepest drawdown
    of each of the stretches of equal length that the curve is cut into: no extreme is lost.
    """
    peak = np.maximum(np.maximum.accumulate(equity), capital)
    drawdown = (peak - equity) / peak
    points = _extremes(equity, drawdown, most_points) if 0 < most_points < len(equity) else slice(None)
    return EquityCurve(open_time_s[points].copy(), equity[points].copy(), drawdown[points])


def _extremes(equity: PriceColumn, drawdown: PriceColumn, most_points: int) -> np.ndarray:
    stretches = (most_points - 2) // _POINTS_OF_STRETCH
    edges = np.linspace(0, len(equity), stretches + 1).astype(int)
    points = {0, len(equity) - 1}
    for start, end in pairwise(edges.tolist()):
        part = equity[start:end]
        points |= {start + int(np.argmin(part)), start + int(np.argmax(part))}
        points.add(start + int(np.argmax(drawdown[start:end])))
    return np.array(sorted(points))


def monthly_returns(
    open_time_s: TimeColumn, equity: PriceColumn, capital: float
) -> tuple[MonthlyReturn, ...]:
    """Return each month's return: from the last close before the month to its own last close."""
    months = open_time_s.astype("datetime64[s]").astype("datetime64[M]")
    last = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    after = equity[last]
    before = np.append(capital, after[:-1])
    return tuple(
        MonthlyReturn(
            year=1970 + int(month) // 12,
            month=1 + int(month) % 12,
            return_fraction=float((now - then) / then) if then > 0 else None,
        )
        for month, then, now in zip(months[last].astype(int), before, after, strict=True)
    )
