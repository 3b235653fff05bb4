"""Candles from rows of text: values read, rules applied, duplicates told from contradictions, sorted."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from services.data.candle_rules import broken_rules
from services.data.readers.number_column import read_numbers
from services.data.readers.report import Rejection
from services.data.readers.text_rows import CANDLE_FIELDS, TextRows
from services.data.readers.time_column import read_times
from services.shared.candles import Candles, TimeColumn
from services.shared.interval import Interval

Positions = NDArray[np.intp]


def assemble(rows: TextRows, interval: Interval) -> tuple[Candles, tuple[Rejection, ...], int]:
    """Return the good candles in ascending order, the rejected rows by line, and the number of duplicates.

    A row is rejected for the first thing that is wrong with it. Of rows of the same time the first good
    one of the file is taken; others are duplicates where their values are equal, and rejected where not.
    """
    candles, reasons = _values(rows)
    good = np.ones(len(candles), np.bool_)
    good[list(reasons)] = False
    for reason, broken in broken_rules(candles, interval):
        reasons.update(dict.fromkeys(np.flatnonzero(broken & good).tolist(), reason))
        good &= ~broken

    kept, others, firsts = _by_time(candles.open_time_s, np.flatnonzero(good))
    equal = _equal(candles, others, firsts)
    reasons.update(_contradictions(rows, candles, others[~equal], firsts[~equal]))

    rejections = [Rejection(rows.lines[position], reason) for position, reason in reasons.items()]
    rejections.extend(rows.misshapen)
    rejections.sort(key=lambda rejection: rejection.line)
    return _taken(candles, kept), tuple(rejections), int(equal.sum())


def _values(rows: TextRows) -> tuple[Candles, dict[int, str]]:
    """Return the rows as candles in the file's order, and why some are none, by position."""
    times, reasons = read_times(rows.columns[0])
    columns = []
    for name, texts in zip(CANDLE_FIELDS[1:], rows.columns[1:], strict=True):
        numbers, number_reasons = read_numbers(name, texts)
        columns.append(numbers)
        reasons = number_reasons | reasons  # the reason of the leftmost field stays
    return Candles(times, *columns), reasons


def _by_time(open_time_s: TimeColumn, positions: Positions) -> tuple[Positions, Positions, Positions]:
    """Return the first position of each time, in ascending order; the others; and the first of each other.

    The sort is stable: of the same time, the first position is the first row of the file.
    """
    order = positions[np.argsort(open_time_s[positions], kind="stable")]
    repeats = np.zeros(len(order), np.bool_)
    repeats[1:] = np.diff(open_time_s[order]) == 0
    firsts = order[~repeats]
    return firsts, order[repeats], firsts[np.cumsum(~repeats)[repeats] - 1]


def _equal(candles: Candles, some: Positions, others: Positions) -> NDArray[np.bool_]:
    """Tell, pair by pair, whether all values are equal."""
    equal = np.ones(len(some), np.bool_)
    for column in candles.columns():
        equal &= column[some] == column[others]
    return equal


def _contradictions(
    rows: TextRows, candles: Candles, positions: Positions, firsts: Positions
) -> dict[int, str]:
    """Return the reasons of rows that differ from the first one of their time, by position."""
    reasons = {}
    for position, first in zip(positions.tolist(), firsts.tolist(), strict=True):
        time = datetime.fromtimestamp(int(candles.open_time_s[first]), UTC)
        reasons[position] = f"line {rows.lines[first]} has other values for {time:%Y-%m-%dT%H:%MZ}"
    return reasons


def _taken(candles: Candles, positions: Positions) -> Candles:
    open_time_s, *values = candles.columns()
    return Candles(open_time_s[positions], *(column[positions] for column in values))
