"""What a reader makes of a file."""

from dataclasses import dataclass

from services.shared.candles import Candles


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken: its line number (from 1; in JSON the record's number) and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class FileReading:
    """The good candles of one file, in ascending order, and the rows that were rejected.

    `symbol` is the one that the file itself or its name tells; None where neither does.
    `duplicates` counts rows that repeat an earlier one with equal values.
    """

    format: str
    symbol: str | None
    candles: Candles
    rejections: tuple[Rejection, ...]
    duplicates: int = 0
    rejected: int = 0
    conflicts: int = 0
    still_open: int = 0
    incomplete_hours: int = 0
    candle_length_s: int = 3600
    zero_volume: int = 0
