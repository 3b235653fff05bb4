"""The outcome of reading a file: its candles, and the rejected rows."""

from dataclasses import dataclass

from backcast_engine.candles import Candles


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected row: the number of its line (in JSON and tables: its record), from 1, and the reason.

    `values` are the row's time, prices and volume as text; empty if they could not all be parsed.
    """

    line: int
    reason: str
    values: str = ""


@dataclass(frozen=True, slots=True)
class FileReading:
    """The valid candles of one file, in ascending order, and the outcome of the other rows.

    `row_name` is the word for the file's rows: line or record. `symbol` is given by the user, by the content
    or by the file's name; None if by none of them, for the reason `no_symbol`. `rejections` describes the
    first of the `rejected` rows. `duplicates` counts rows that repeat another one with equal values,
    `conflicts` those rejected rows that contradict the row that was taken. `still_open` counts rows whose
    candles had not closed. Left out were `incomplete` candles, of which shorter candles are missing, and
    those `with_jump`, within which the price jumps by a factor of 10 or more from one shorter candle to the
    next. `length_s` is the length of the file's candles in seconds.
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
