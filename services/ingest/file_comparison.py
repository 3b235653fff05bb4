"""The files of one import: which are of one crypto, and where they contradict each other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backcast_engine.candles import VALUE_COLUMNS, Candles
from services.ingest.identity.file_symbol import parse_file_name
from services.ingest.quality.contradictions import values_differ
from services.ingest.quality.overwriting import most_different_field


def grouped(
    files: list[Path], symbol: str | None, symbol_in: Callable[[Path], str | None]
) -> Iterable[list[Path]]:
    """Return the files in groups of one crypto each, in the order of each group's first file.

    With `symbol`, all files are of it. Otherwise their names decide. A file whose name has no symbol is read
    with `symbol_in`, which returns None if the content has no symbol either.
    """
    if symbol is not None or len(files) == 1:
        return [files]
    groups: dict[str | Path, list[Path]] = {}
    for file in files:
        groups.setdefault(parse_file_name(file).symbol or symbol_in(file) or file, []).append(file)
    return groups.values()


@dataclass(frozen=True, slots=True)
class FileConflict:
    """The conflict of one file with others: in `hours`, first at `first_s` (Unix seconds) with file `other`.

    `field` is the value that differs most there, `value` is this file's and `other_value` the other one's.
    """

    other: int
    hours: int
    first_s: int
    field: str
    value: float
    other_value: float


def file_conflicts(files: Sequence[Candles]) -> dict[int, FileConflict]:
    """Return the conflict of each file that contradicts another one, by the file's position."""
    times, *columns = Candles.concatenate(list(files)).columns()
    if not len(times):
        return {}
    # Sorted: rows of the same hour are adjacent, in the order of their files.
    order = np.argsort(times, kind="stable")
    owners = np.repeat(np.arange(len(files)), [len(candles) for candles in files])[order]
    time_s, values = times[order], [column[order] for column in columns]
    begins = np.diff(time_s, prepend=time_s[0] - 1) != 0
    starts, hour = np.flatnonzero(begins), np.cumsum(begins) - 1
    first = starts[hour]
    is_other = np.zeros(len(order), np.bool_)
    for column in values:
        is_other |= values_differ(column, column[first])
    # A row contradicts the first row of its hour or, if it equals that one, the first row that differs.
    nowhere = len(order)
    first_other = np.minimum.reduceat(np.where(is_other, np.arange(nowhere), nowhere), starts)[hour]
    contradicted = np.where(is_other, first, first_other)
    rows = np.flatnonzero(contradicted < nowhere)
    found, firsts, hours = np.unique(owners[rows], return_index=True, return_counts=True)
    conflicts = {}
    for file, row, count in zip(found.tolist(), rows[firsts].tolist(), hours.tolist(), strict=True):
        other = contradicted[row]
        here, there = ([float(column[position]) for column in values] for position in (row, other))
        field = most_different_field(here, there)
        conflicts[file] = FileConflict(
            int(owners[other]), count, int(time_s[row]), VALUE_COLUMNS[field], here[field], there[field]
        )
    return conflicts
