"""Corrects highs and lows that are off by rounding errors of a double, as sums and divisions leave them."""

from dataclasses import replace

import numpy as np

from backcast_engine.candles import Candles

# Relative: some thousand times the precision of a double, and a millionth of any price's tick.
EDGE_TOLERANCE = 1e-12


def with_exact_edges(candles: Candles) -> Candles:
    """Move low and high to open and close where only rounding errors put these outside.

    A larger difference than `EDGE_TOLERANCE` stays, and breaks the rules of candles.
    """
    top, bottom = np.maximum(candles.open, candles.close), np.minimum(candles.open, candles.close)
    if (candles.high >= top).all() and (candles.low <= bottom).all():
        return candles
    high_is_off = (candles.high < top) & (candles.high >= top * (1 - EDGE_TOLERANCE))
    low_is_off = (candles.low > bottom) & (candles.low <= bottom * (1 + EDGE_TOLERANCE))
    return replace(
        candles,
        high=np.where(high_is_off, top, candles.high),
        low=np.where(low_is_off, bottom, candles.low),
    )
