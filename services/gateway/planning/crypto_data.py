"""A crypto as a run takes it: which candles it has, and under which fingerprints its data is known."""

from dataclasses import dataclass

from backcast_engine import Window
from backcast_engine.interval import Interval

_HOUR_S = Interval.HOUR_1.seconds


@dataclass(frozen=True, slots=True)
class CryptoData:
    """A crypto that has candles: opening times of the first and the last hourly one in Unix seconds.

    `fingerprint` is that of all of its data, `seen_fingerprint` that of the part which the window sees.
    """

    symbol: str
    fingerprint: str
    first_candle_s: int
    last_candle_s: int
    seen_fingerprint: str

    def fingerprint_of_result(self, data_fingerprint: str) -> str:
        """Return the fingerprint under which to cache a result that was computed from `data_fingerprint`.

        If that is the data that was listed, it is the fingerprint of the part. If candles were imported
        since, it is that of the new data, because the part may have changed with it. That is always right:
        the data service names a part by the whole data's fingerprint only if nothing in the part has changed
        since.
        """
        return self.seen_fingerprint if data_fingerprint == self.fingerprint else data_fingerprint

    def over_until_s(self, interval: Interval) -> int:
        """Return the end of the last candle of length `interval` that is over by the end of the data."""
        return interval.opening(self.last_candle_s + _HOUR_S)

    def may_have_candles(self, window: Window, interval: Interval) -> bool:
        """Return whether some of its candles can be in `window`: False where all are before or after it."""
        first_s = interval.opening(self.first_candle_s)
        last_s = self.over_until_s(interval) - interval.seconds
        return first_s <= last_s and first_s < window.end_s and last_s >= window.start_s
