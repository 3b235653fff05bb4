"""Comparison of two histories: whether they are equal, and how they differ."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from backcast_engine.candles import Candles


@dataclass(frozen=True, slots=True)
class HistorySum:
    """The summary of a history: number of candles, first and last time (Unix seconds), and a checksum.

    `checksum` is the SHA-256 of all columns; the times are None if there are no candles.
    """

    candles: int
    first_s: int | None
    last_s: int | None
    checksum: str

    @classmethod
    def of(cls, candles: Candles) -> "HistorySum":
        """Summarize a history."""
        digest = sha256()
        for column in candles.columns():
            digest.update(column.tobytes())
        first_s, last_s = candles.open_time_s[[0, -1]].tolist() if len(candles) else (None, None)
        return cls(len(candles), first_s, last_s, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class HistoryDifference:
    """The difference between a crypto's history in the source and here.

    `missing` candles are only in the source, `additional` ones only here, and `changed` ones have other
    values; the first of all of them opens at `first_s`, in Unix seconds.
    """

    symbol: str
    source: HistorySum
    here: HistorySum
    missing: int
    additional: int
    changed: int
    first_s: int


def find_difference(symbol: str, source: Candles, here: Candles) -> HistoryDifference | None:
    """Compare two histories by their summaries; return their difference, None if they are equal."""
    source_sum, here_sum = HistorySum.of(source), HistorySum.of(here)
    if source_sum == here_sum:
        return None
    is_missing = ~np.isin(source.open_time_s, here.open_time_s)
    is_additional = ~np.isin(here.open_time_s, source.open_time_s)
    both, other = source.at(~is_missing), here.at(~is_additional)
    is_changed = np.zeros(len(both), np.bool_)
    for column, other_column in zip(both.columns(), other.columns(), strict=True):
        is_changed |= column != other_column
    times = (source.at(is_missing), here.at(is_additional), both.at(is_changed))
    return HistoryDifference(
        symbol,
        source_sum,
        here_sum,
        int(is_missing.sum()),
        int(is_additional.sum()),
        int(is_changed.sum()),
        min(int(candles.open_time_s[0]) for candles in times if len(candles)),
    )
