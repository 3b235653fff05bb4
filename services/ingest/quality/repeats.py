"""Resolves rows of the same time: equal rows count once, and one of different rows is taken."""

import numpy as np
from numpy.typing import NDArray

from services.domain.candles import Candles
from services.domain.conflict_rule import ConflictRule

Positions = NDArray[np.intp]


def settled(candles: Candles, on_conflict: ConflictRule) -> tuple[Positions, int, list[tuple[int, int]]]:
    """Return the taken position for each time, the number of repeated rows, and the pairs (other, taken).

    Times ascend, and rows of the same time are in the file's order. The last of them is taken, because files
    are appended to, and a candle that was still open comes first; with ConflictRule.KEEP, the first is taken.
    """
    is_first = np.ones(len(candles), np.bool_)
    is_first[1:] = np.diff(candles.open_time_s) != 0
    firsts = np.flatnonzero(is_first)
    taken = firsts if on_conflict is ConflictRule.KEEP else np.append(firsts[1:], len(candles)) - 1
    if len(firsts) == len(candles):
        return firsts, 0, []
    taken_of_each = taken[np.cumsum(is_first) - 1]
    others = np.flatnonzero(taken_of_each != np.arange(len(candles)))
    is_equal = np.ones(len(others), np.bool_)
    for column in candles.columns():
        is_equal &= column[others] == column[taken_of_each[others]]
    different = others[~is_equal]
    pairs = list(zip(different.tolist(), taken_of_each[different].tolist(), strict=True))
    return taken, int(is_equal.sum()), pairs
