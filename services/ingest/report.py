"""What a reader makes of a file."""

from dataclasses import dataclass

from services.domain.candles import Candles


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken: the number of its line, or record in JSON and tables, from 1, and why.

    `values` are the row's time, prices and volume, for people; empty if they could not all be read.
    """

    line: int
    reason: str
    values: str = ""


@dataclass(frozen=True, slots=True)
class FileReading:
    """The good candles of one file, in ascending order, and what became of the other rows.

    `row_name` is what the file's rows are called: line or record. `symbol` is the one that was given, or that
    the file itself or its name tells; None if none does, for the reason `no_symbol`. `rejections` are
    those of the first rows that were `rejected`. `duplicates` counts rows that repeat another with equal
    values, `conflicts` those of the rejected ones that contradict the row that was taken. `still_open` counts
    rows whose candles had not ended, `incomplete` candles that were left out because some of the shorter ones
    that make them are missing, and `with_jump` those in which the price jumps by a factor of 10 or more from
    one of the shorter ones to the next; `length_s` is how long the file's candles are, in seconds.
    """

    format: str
    row_name: str
    symbol: str | None
    candles: Candles
    rejections: tuple[Rejection, ...]
    rejected: int
    duplicates: int
    conflicts: int
    still_open: int
    incomplete: int
    with_jump: int
    length_s: int
    no_symbol: str = ""
