"""Which rows of another table are hourly candles, and why the others are none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.domain.candle_rules import broken_rules, off_grid_reason
from services.domain.candles import Candles
from services.domain.interval import Interval
from services.domain.times import EARLIEST_S, LATEST_S, utc

# Of each crypto, enough to see what is wrong.
_REJECTIONS_KEPT = 10
_HOUR_S = Interval.HOUR_1.seconds


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows of one crypto in any order, all columns of shape (n,).

    `candles` has times in whole seconds; `off_second` is true where the source has a fraction of one too.
    `has_time` is false where there is no time at all, and the second means nothing. Values that are missing
    are NaN.
    """

    candles: Candles
    has_time: NDArray[np.bool_]
    off_second: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SiftedRows:
    """The candles, in order of time, and what is said of the first rows that are none.

    `rejected` counts rows that are no candles, `repeated` rows that equal another one of the same hour.
    """

    candles: Candles
    rejections: tuple[str, ...]
    rejected: int
    repeated: int


def sift(rows: SourceRows, now_s: int) -> SiftedRows:
    """Keep the rows that are hourly candles, closed at `now_s` (Unix seconds), one for each hour."""
    order = np.argsort(rows.candles.open_time_s, kind="stable")
    candles, has_time = rows.candles.at(order), rows.has_time[order]
    has_time &= (candles.open_time_s >= EARLIEST_S) & (candles.open_time_s <= LATEST_S)
    rejected = np.zeros(len(candles), np.bool_)
    first: list[tuple[int, str]] = []

    def reject(broken: NDArray[np.bool_], reason: str) -> None:
        new = np.flatnonzero(broken & ~rejected)
        rejected[new] = True
        for position in new[:_REJECTIONS_KEPT].tolist():
            time = utc(int(candles.open_time_s[position])) if has_time[position] else "a row"
            first.append((position, f"{time}: {reason}"))

    reject(~has_time, "the time is missing or out of range")
    reject(rows.off_second[order], off_grid_reason(Interval.HOUR_1))
    for reason, broken in broken_rules(candles, Interval.HOUR_1):
        reject(broken, reason)
    reject(candles.open_time_s > now_s - _HOUR_S, "the candle is not closed yet")
    repeats = _repeats(candles, ~rejected)
    # Which one is right nobody can tell: none is taken.
    reject(_conflicting(candles, ~rejected & ~repeats), "the hour is there again, with other values")
    return SiftedRows(
        _without_signs_of_zero(candles.at(~rejected & ~repeats)),
        tuple(sentence for _, sentence in sorted(first)[:_REJECTIONS_KEPT]),
        int(rejected.sum()),
        int((repeats & ~rejected).sum()),
    )


def _repeats(candles: Candles, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which good rows equal the good one before."""
    positions = np.flatnonzero(good)
    equal = np.ones(max(len(positions) - 1, 0), np.bool_)
    for column in candles.columns():
        equal &= column[positions][1:] == column[positions][:-1]
    repeats = np.zeros(len(candles), np.bool_)
    repeats[positions[1:][equal]] = True
    return repeats


def _conflicting(candles: Candles, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which good rows share their hour with another good one."""
    positions = np.flatnonzero(good)
    same = np.diff(candles.open_time_s[positions]) == 0
    conflicting = np.zeros(len(candles), np.bool_)
    conflicting[positions[1:][same]] = True
    conflicting[positions[:-1][same]] = True
    return conflicting


def _without_signs_of_zero(candles: Candles) -> Candles:
    """Return -0.0 as 0.0: equal numbers have equal checksums."""
    open_time_s, *values = candles.columns()
    return Candles(open_time_s, *(column + 0.0 for column in values))
