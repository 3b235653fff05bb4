"""One column at a distance from another: bands and differences.

A file of its own, as Numba caches compiled code by file.
"""

import numpy as np
from numba import types

from backcast_engine.candles import PriceColumn
from backcast_engine.indicators.runs import COLUMN, compiled


@compiled(COLUMN, types.float64, COLUMN)
def offset(column: PriceColumn, multiple: float, unit: PriceColumn) -> PriceColumn:
    """Return column + multiple * unit, all of shape (n,); NaN where it is undefined or too large."""
    result = np.empty(len(column))
    for t in range(len(column)):
        value = column[t] + multiple * unit[t]
        result[t] = value if abs(value) < np.inf else np.nan
    return result
