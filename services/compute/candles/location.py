"""Where candles are, as far as the workers are concerned."""

from dataclasses import dataclass
from typing import Protocol

from services.domain.history import History


@dataclass(frozen=True)
class CryptoData:
    """A crypto, and the fingerprint of its data."""

    symbol: str
    fingerprint: str


class CandlePlace(Protocol):
    """Where the candles of one crypto are: a small thing that is pickled into tasks, and read by workers."""

    @property
    def data(self) -> CryptoData:
        """What data was asked for."""

    def load(self) -> tuple[CryptoData, History]:
        """Return the history, and what data they are: it may be newer than what was asked for.

        Raises BackcastError where there are none, FileNotFoundError where they were and are gone.
        """
