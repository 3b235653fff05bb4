"""The row filter of a migration: which rows are valid hourly candles, and why the others are not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candle_rules import broken_rules, off_grid_reason
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.times import EARLIEST_S, LATEST_S, utc

# Rejected rows of a crypto that are described.
_REJECTIONS_KEPT = 10
_HOUR_S = Interval.HOUR_1.seconds


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows of one crypto in any order, all columns of shape (n,).

    `candles` has times in whole seconds; `off_second` is true if the source's time has a fraction of a
    second. `has_time` is false if the row has no time, and then its second means nothing. Missing values are
    NaN.
    """

    candles: Candles
    has_time: NDArray[np.bool_]
    off_second: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FilteredRows:
    """The candles in order of time, and the reasons for the first rejected rows.

    `rejected` counts rows that are no candles, `repeated` rows that equal another row of the same hour.
    """

    candles: Candles
    rejections: tuple[str, ...]
    rejected: int
    repeated: int


def filter_rows(rows: SourceRows, now_s: int) -> FilteredRows:
    """Keep the rows that are hourly candles closed at `now_s` (Unix seconds), one for each hour."""
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
    # It is not known which one is right, so none is taken.
    reject(_conflicting(candles, ~rejected & ~repeats), "another row of this hour has other values")
    return FilteredRows(
        _without_signs_of_zero(candles.at(~rejected & ~repeats)),
        tuple(sentence for _, sentence in sorted(first)[:_REJECTIONS_KEPT]),
        int(rejected.sum()),
        int((repeats & ~rejected).sum()),
    )


def _repeats(candles: Candles, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which good rows equal the good row before them."""
    positions = np.flatnonzero(good)
    equal = np.ones(max(len(positions) - 1, 0), np.bool_)
    for column in candles.columns():
        equal &= column[positions][1:] == column[positions][:-1]
    repeats = np.zeros(len(candles), np.bool_)
    repeats[positions[1:][equal]] = True
    return repeats


def _conflicting(candles: Candles, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which good rows share their hour with another good row."""
    positions = np.flatnonzero(good)
    same = np.diff(candles.open_time_s[positions]) == 0
    conflicting = np.zeros(len(candles), np.bool_)
    conflicting[positions[1:][same]] = True
    conflicting[positions[:-1][same]] = True
    return conflicting


def _without_signs_of_zero(candles: Candles) -> Candles:
    """Replace -0.0 by 0.0, so that equal numbers have equal checksums."""
    open_time_s, *values = candles.columns()
    return Candles(open_time_s, *(column + 0.0 for column in values))
