"""The default end of a window: the latest one at which the cryptos overlap well."""

from collections.abc import Sequence

import numpy as np

from services.domain.interval import Interval
from services.gateway.planning.crypto_data import CryptoData

DEFAULT_WINDOW_S = 365 * 86_400
# A later end is worth this much overlap: else one crypto that was delisted would move everybody's window to
# the year before, where it has candles too.
_WELL_ENOUGH = 0.9


def default_end_s(cryptos: Sequence[CryptoData], interval: Interval, start_s: int | None, now_s: int) -> int:
    """Return the end (Unix seconds) of the window of `cryptos`, of which there is at least one.

    It is one of the ends of the cryptos' data, which are those of the last candles of length `interval` that
    are over, none after `now_s`. The overlap of an end is the sum over the cryptos of the share of the window
    that lies within their data; the window begins at `start_s`, or 365 days before its end. Of the ends with
    at least 90 % of the greatest overlap, it is the latest.
    """
    present_s = interval.opening(now_s)
    over_s = np.array([min(crypto.over_until_s(interval), present_s) for crypto in cryptos], np.int64)
    ends_s = np.unique(over_s)
    if start_s is not None:
        ends_s = ends_s[ends_s > start_s]
    if len(ends_s) < 2:
        return int(over_s.max())
    first_s = np.array([crypto.first_candle_s for crypto in cryptos], np.int64)
    overlaps = np.empty(len(ends_s))
    for index, end_s in enumerate(ends_s.tolist()):
        window_start_s = end_s - DEFAULT_WINDOW_S if start_s is None else start_s
        within_s = np.minimum(over_s, end_s) - np.maximum(first_s, window_start_s)
        overlaps[index] = np.maximum(within_s, 0).sum() / (end_s - window_start_s)
    return int(ends_s[overlaps >= _WELL_ENOUGH * overlaps.max()][-1])
