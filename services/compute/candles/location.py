"""The version of a crypto's data, and the location where a worker reads its candles.

Apart from both kinds of location, `stored` and `remote`: tasks know neither, and `remote` needs gRPC.
"""

from dataclasses import dataclass
from typing import Protocol

from backcast_engine.history import History


@dataclass(frozen=True)
class DataVersion:
    """A version of a crypto's data, named by its fingerprint: other candles have another fingerprint."""

    symbol: str
    fingerprint: str


class CandleLocation(Protocol):
    """The location of one crypto's candles: small, as it is pickled into every task, and read by a worker."""

    @property
    def data(self) -> DataVersion:
        """The version that was asked for."""

    def load(self) -> tuple[DataVersion, History]:
        """Return the history, and its version, which may be newer than the one that was asked for.

        Raises BackcastError where there are no candles, FileNotFoundError where they have been deleted.
        """
