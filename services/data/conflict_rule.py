"""What is done about candles of the same time that have different values."""

from enum import Enum


class ConflictRule(Enum):
    """What becomes of a candle that is stored with other values than an import brings."""

    REPLACE = "replace"
    KEEP = "keep"
    FAIL = "fail"
