"""What is done about candles of the same time that have different values."""

from enum import Enum


class ConflictRule(Enum):
    """What becomes of a candle that is stored with other values than an import brings.

    GUARDED replaces it too, but refuses an import that changes much of what is stored (see overwriting.py),
    and a file whose own rows are of two markets (see ingest/identity/two_markets.py).
    """

    GUARDED = "guarded"
    REPLACE = "replace"
    KEEP = "keep"
    FAIL = "fail"

    @property
    def replaces(self) -> bool:
        """Whether the import's candle takes the place of the stored one."""
        return self in (ConflictRule.GUARDED, ConflictRule.REPLACE)
