"""Suspicions: signs that stored candles are not hourly candles of their crypto.

Earlier versions took words of file names for symbols, and longer candles in short files for hours. None of
the signs is certain; each names candles that should be looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from backcast_engine.candles import Candles
from services.domain.symbols import parse_symbol

_HOUR_S = 3600
# Lengths of candles that exchanges offer, in hours.
_LONGER_HOURS = (2, 3, 4, 6, 8, 12, 24, 72, 168)
_MOST_HOURS_BEHIND = 24
# This many equal distances in a row, over this many hours, are unlikely to be hours without trades.
_SPACED_DISTANCES, _SPACED_HOURS = 5, 20
# At the beginning or end of a history, fewer are enough, because the longer candles that earlier versions
# took for hours were in short files. Below a day, the candles must be on the grid of their length.
_SPACED_AT_EDGE, _EDGE_FROM_HOURS = 2, 4
# Files of longer candles contain several in a row; a single hour can look like one by chance.
_OVER_HOURS, _OVER_HOURS_OF = 3, 6
_CANDLES_WITHOUT_VOLUME = 24
# The factor between two markets of one crypto; a price that is nearer than this to the old one has come back.
_OTHER_MARKET, _SAME_MARKET = 1.5, 1.2
_VISITS = 3
# No price moves by this factor within an hour.
_JUMP = 100

BoolColumn = NDArray[np.bool_]


class Sign(StrEnum):
    """The signs that make candles suspicious."""

    NO_PAIR = "no pair"
    """The symbol does not end in a quote currency of cryptos, or is the name of an exchange."""
    LONGER_CANDLES = "longer candles"
    """A stretch has only every n-th hour, as if candles of n hours had been stored as hours."""
    LONGER_CANDLES_OVER_HOURS = "longer candles over hours"
    """Several hours have the high, the low and the close of the n hours that start with them."""
    NO_VOLUME = "no volume"
    """Prices of a stretch change without any volume, like mark and index prices."""
    JUMP_WITHIN_HOUR = "jump within an hour"
    """High and low of one hour differ by a factor of 100 or more, as by a split within it."""
    TWO_MARKETS = "two markets"
    """The price changes by a factor above 1.5, and comes back within a day, again and again."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A sign, and the opening times (Unix seconds) of the first and last candle with it.

    `candles` is their number, in one or several places. `hours` is the apparent length of longer candles, and
    0 for other signs. `factor` is the largest factor between the prices of an hour, and 0 for other signs. A
    symbol that is no pair concerns all candles.
    """

    sign: Sign
    first_s: int
    last_s: int
    candles: int
    hours: int = 0
    factor: float = 0.0


def find_suspicions(symbol: str, candles: Candles) -> tuple[Suspicion, ...]:
    """Return the suspicions about the hourly candles, at least one, of a canonical symbol."""
    found = [Suspicion(Sign.NO_PAIR, *_extent(candles, np.ones(len(candles), np.bool_)))]
    return (
        *(found if not parse_symbol(symbol).is_pair else ()),
        *_spaced(candles),
        *_over_hours(candles),
        *_without_volume(candles),
        *_jumps_within(candles),
        *_two_markets(candles),
    )


def _spaced(candles: Candles) -> Iterator[Suspicion]:
    distances_h = np.diff(candles.open_time_s) // _HOUR_S
    for hours in _LONGER_HOURS:
        fewest = max(_SPACED_DISTANCES, _SPACED_HOURS // hours)
        is_part = np.zeros(len(candles), np.bool_)
        for start, end in _runs(distances_h == hours):
            is_at_edge = (start == 0 or end == len(distances_h)) and hours >= _EDGE_FROM_HOURS
            is_on_grid = hours >= 24 or candles.open_time_s[start] % (hours * _HOUR_S) == 0
            if end - start >= fewest or (is_at_edge and is_on_grid and end - start >= _SPACED_AT_EDGE):
                is_part[start : end + 1] = True
        if is_part.any():
            yield Suspicion(Sign.LONGER_CANDLES, *_extent(candles, is_part), hours)


def _over_hours(candles: Candles) -> Iterator[Suspicion]:
    for hours in _LONGER_HOURS:
        if not 2 < hours <= min(_MOST_HOURS_BEHIND, len(candles)):
            continue
        count = len(candles) - hours + 1
        begin = candles.open_time_s[:count]
        is_whole = (candles.open_time_s[hours - 1 :] - begin == (hours - 1) * _HOUR_S) & (
            begin % (hours * _HOUR_S) == 0
        )
        opens, highs, lows, closes, volumes = (
            sliding_window_view(column, hours) for column in candles.columns()[1:]
        )
        is_longer = is_whole & (closes[:, 0] == closes[:, -1]) & (opens[:, 1] != closes[:, 0])
        # Only a few candidates are left; all of their hours are checked.
        for position in np.flatnonzero(is_longer).tolist():
            is_longer[position] = (
                highs[position, 0] == highs[position].max()
                and lows[position, 0] == lows[position].min()
                and 2 * volumes[position, 0] > volumes[position, 1:].sum()
                and bool((closes[position] != closes[position, 0]).any())
            )
        places = np.flatnonzero(is_longer)
        first = places[: 1 - _OVER_HOURS]
        is_close = candles.open_time_s[places[_OVER_HOURS - 1 :]] - candles.open_time_s[first] < (
            _OVER_HOURS_OF * hours * _HOUR_S
        )
        is_part = np.zeros(len(candles), np.bool_)
        for number in np.flatnonzero(is_close).tolist():
            is_part[places[number : number + _OVER_HOURS]] = True
        if is_part.any():
            yield Suspicion(Sign.LONGER_CANDLES_OVER_HOURS, *_extent(candles, is_part), hours)


def _without_volume(candles: Candles) -> Iterator[Suspicion]:
    is_part = np.zeros(len(candles), np.bool_)
    # Without trades, prices do not change.
    for start, end in _runs((candles.volume == 0) & (candles.high > candles.low)):
        is_part[start:end] = end - start >= _CANDLES_WITHOUT_VOLUME
    if is_part.any():
        yield Suspicion(Sign.NO_VOLUME, *_extent(candles, is_part))


def _jumps_within(candles: Candles) -> Iterator[Suspicion]:
    # Open and close lie between low and high.
    factors = _factor(candles.high, candles.low)
    is_part = factors >= _JUMP
    if is_part.any():
        yield Suspicion(Sign.JUMP_WITHIN_HOUR, *_extent(candles, is_part), factor=float(factors.max()))


def _two_markets(candles: Candles) -> Iterator[Suspicion]:
    close = candles.close
    jumps = 1 + np.flatnonzero(_factor(close[1:], close[:-1]) > _OTHER_MARKET)
    is_part = np.zeros(len(candles), np.bool_)
    visits, behind = 0, 0
    for jump in jumps.tolist():
        if jump < behind:
            continue
        day = int(np.searchsorted(candles.open_time_s, candles.open_time_s[jump] + 86_400, side="right"))
        is_back = _factor(close[jump:day], close[jump - 1]) < _SAME_MARKET
        if is_back.any():
            behind = jump + int(np.argmax(is_back)) + 1
            is_part[jump : behind - 1] = True
            visits += 1
    if visits >= _VISITS:
        yield Suspicion(Sign.TWO_MARKETS, *_extent(candles, is_part))


def _factor(prices: NDArray[np.float64], others: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    """Return the factor between prices, 1 or above; infinite if it is too large for a double."""
    with np.errstate(over="ignore", divide="ignore"):
        factors: NDArray[np.float64] = np.maximum(prices, others) / np.minimum(prices, others)
    return factors


def _runs(mask: BoolColumn) -> list[tuple[int, int]]:
    """Return the runs of true in the mask: the first position of each, and the position after its last."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _extent(candles: Candles, is_part: BoolColumn) -> tuple[int, int, int]:
    """Return the times of the first and last candle of a part, and the number of its candles."""
    times = candles.open_time_s[is_part]
    return int(times[0]), int(times[-1]), len(times)
