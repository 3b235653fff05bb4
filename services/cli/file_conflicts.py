"""Files of one import that say different things about the same hours of one crypto."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.shared.candles import Candles


@dataclass(frozen=True, slots=True)
class FileConflict:
    """How one file contradicts others: in `hours`, first at `first_s` (Unix seconds), where file `other` is.

    `close` is this file's close there and `other_close` the other one's.
    """

    other: int
    hours: int
    first_s: int
    close: float
    other_close: float


def file_conflicts(files: Sequence[Candles]) -> dict[int, FileConflict]:
    """Return the conflict of each file that has other values for an hour than another, by its position."""
    owners = np.repeat(np.arange(len(files)), [len(candles) for candles in files])
    columns = Candles.concatenate(list(files)).columns()
    order = np.argsort(columns[0], kind="stable")
    owners = owners[order]
    time_s, *values = (column[order] for column in columns)
    close = values[3]
    # Neighbours of the same hour: where not all of its rows are equal, two neighbours differ.
    is_different = np.zeros(max(len(owners) - 1, 0), np.bool_)
    for column in values:
        is_different |= np.diff(column) != 0
    places = np.flatnonzero(is_different & (np.diff(time_s) == 0))
    conflicts: dict[int, FileConflict] = {}
    for here, there in ((places, places + 1), (places + 1, places)):
        found, first, hours = np.unique(owners[here], return_index=True, return_counts=True)
        for file, place, count in zip(found.tolist(), first.tolist(), hours.tolist(), strict=True):
            mine, other = int(here[place]), int(there[place])
            conflict = FileConflict(
                int(owners[other]), count, int(time_s[mine]), float(close[mine]), float(close[other])
            )
            if file not in conflicts or conflict.first_s < conflicts[file].first_s:
                conflicts[file] = conflict
    return conflicts
