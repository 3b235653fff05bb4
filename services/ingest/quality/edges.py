"""Highs and lows that are off by the last bits of a double, as sums and divisions leave them, set right."""

from dataclasses import replace

import numpy as np

from services.domain.candles import Candles

# Relative: some thousand times the last bit of a double, and a millionth of what any price has as a tick.
EDGE_TOLERANCE = 1e-12


def with_exact_edges(candles: Candles) -> Candles:
    """Return the candles with open and close between low and high, where only the last bits say otherwise.

    What is off by more than `EDGE_TOLERANCE` stays as it is, and breaks the rules of candles.
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
