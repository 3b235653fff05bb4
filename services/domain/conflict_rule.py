"""The rule for conflicts: different candles of the same time.

Apart from the checks that apply it, which need NumPy: `backcast import --help` shows the rules without.
"""

from enum import Enum


class ConflictRule(Enum):
    """What an import does with a candle that is stored with other values.

    GUARDED replaces it, but refuses an import that would change many stored candles (see overwriting.py), and
    a file whose rows are of two markets (see ingest/identity/two_markets.py).
    """

    GUARDED = "guarded"
    REPLACE = "replace"
    KEEP = "keep"
    FAIL = "fail"

    @property
    def replaces(self) -> bool:
        """Whether the imported candle replaces the stored one."""
        return self in (ConflictRule.GUARDED, ConflictRule.REPLACE)
