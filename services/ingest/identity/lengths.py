"""The length of a file's candles: the evidence for it, which must agree.

A daily candle at midnight is on the hourly grid, and so is every sixtieth candle of one minute. Row by row
they look right, and whole histories would be stored as hours by mistake. So closing times, names and
distances between times all count as evidence, and a file on which they disagree is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backcast_engine.candle_rules import off_grid
from backcast_engine.candles import TimeColumn
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.times import utc

# Fewer distances could be equal by chance: if nothing was traded in between, or a few times are wrong.
_DECISIVE_CANDLES = 10

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
# A month need not be exact: all that matters is that it is longer than an hour.
_UNITS_S = {"s": 1, "m": _MINUTE_S, "h": _HOUR_S, "d": _DAY_S, "w": 7 * _DAY_S, "mo": 30 * _DAY_S}
_UNIT_NAMES = {
    **dict.fromkeys(("s", "S", "sec"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "H", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "D", "day", "days"), "d"),
    **dict.fromkeys(("w", "W", "week", "weeks"), "w"),
    **dict.fromkeys(("M", "mo", "month", "months"), "mo"),
}
_NUMBERED = re.compile(r"([1-9]\d{0,3})([A-Za-z]+)")
_META_TRADER = re.compile(r"(M|H|D|W|MN)([1-9]\d?)")
_META_TRADER_UNITS = {"M": "m", "H": "h", "D": "d", "W": "w", "MN": "mo"}
_WORDS = {
    **dict.fromkeys(("minute", "minutely"), "m"),
    **dict.fromkeys(("hour", "hourly", "h"), "h"),
    **dict.fromkeys(("day", "daily", "d"), "d"),
    **dict.fromkeys(("week", "weekly", "w"), "w"),
    **dict.fromkeys(("month", "monthly", "mn"), "mo"),
}
# Kraken and TradingView write minutes without a unit.
_BARE_MINUTES = frozenset({1, 3, 5, 15, 30, 45, 60, 120, 180, 240, 360, 480, 720, 1440, 10080, 21600})
# This many equal distances in a row are no gaps, because gaps differ.
_MIXED_DISTANCES = 5
_MIXED_FROM_S = 4 * _HOUR_S
_USUAL_LONGER_S = frozenset(
    {*(hours * _HOUR_S for hours in (2, 3, 4, 6, 8, 12)), *(days * _DAY_S for days in (1, 2, 3, 7))}
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The length of candles in seconds, according to a `source` (like "its name")."""

    source: str
    length_s: int


def length_from(text: str, bare: bool = True) -> int | None:
    """Return the length in seconds of a part of a name: `1h`, `H4`, `60`, `daily`.

    Without `bare`, single numbers and words do not count. `1m` is a minute and `1M` a month.
    """
    if meta_trader := _META_TRADER.fullmatch(text):
        return int(meta_trader[2]) * _UNITS_S[_META_TRADER_UNITS[meta_trader[1]]]
    if numbered := _NUMBERED.fullmatch(text):
        unit = _UNIT_NAMES.get(numbered[2]) or _UNIT_NAMES.get(numbered[2].lower())
        return int(numbered[1]) * _UNITS_S[unit] if unit else None
    if not bare:
        return None
    if text.isdecimal() and text.isascii():
        return int(text) * _MINUTE_S if int(text) in _BARE_MINUTES else None
    unit = _WORDS.get(text.lower())
    return _UNITS_S[unit] if unit else None


def given_length(text: str, interval: Interval, option: str) -> int:
    """Parse a length given by the user to seconds; raise InvalidInput, naming the option, if it is bad."""
    length_s = length_from(text, bare=False)
    if length_s is None:
        raise InvalidInput.of(option, f"{text!r} is no length of candles: 1m to 30m, or {interval.value}")
    if length_s > interval.seconds:
        raise InvalidInput.of(
            option,
            f"{length_words(length_s)} is longer than {length_words(interval.seconds)}: "
            "hours cannot be made of it",
        )
    if length_s % _MINUTE_S or interval.seconds % length_s:
        raise InvalidInput.of(
            option, f"{length_words(interval.seconds)} is not a whole number of {length_words(length_s)}"
        )
    return length_s


def length_by_distances(open_time_s: TimeColumn, interval: Interval) -> int | None:
    """Return the length in seconds of candles that open at these times; None if it is undecided.

    `open_time_s` is ascending, of shape (n,); times may occur twice, and a few may be wrong.
    """
    shorter_s = _shorter(open_time_s, interval)
    if shorter_s is not None:
        return shorter_s
    is_off = off_grid(open_time_s, interval)
    times = open_time_s[~is_off]
    # Not np.unique, which would sort again.
    times = times[np.diff(times, prepend=-1) > 0]
    if len(times) < 2 or is_off.sum() > len(times):
        return None
    if len(times) < _DECISIVE_CANDLES:
        return _length_by_few(np.diff(times), interval)
    distances, counts = np.unique(np.diff(times), return_counts=True)
    common_s, usual_s = int(np.gcd.reduce(distances)), int(distances[np.argmax(counts)])
    if common_s > interval.seconds:
        return common_s
    # Daily candles in local time are 23 or 25 hours apart twice a year, and a few times may be wrong.
    is_longer = usual_s in _USUAL_LONGER_S and usual_s > interval.seconds and 2 * counts.max() > counts.sum()
    return usual_s if is_longer else interval.seconds


def _length_by_few(distances_s: TimeColumn, interval: Interval) -> int | None:
    """Return the length by a few distances, which are multiples of the interval."""
    # Candles do not overlap, so none of them is longer than the smallest distance.
    if distances_s.min() == interval.seconds:
        return interval.seconds
    usual_s = int(distances_s[0])
    is_usual = len(distances_s) > 1 and (distances_s == usual_s).all() and usual_s in _USUAL_LONGER_S
    return usual_s if is_usual else None


def _shorter(open_time_s: TimeColumn, interval: Interval) -> int | None:
    """Return the most frequent distance, if it is shorter than the interval and is the length of the candles.

    That holds if most distances equal it, or if most of many candles are not on the interval's grid.
    """
    distances = np.diff(open_time_s)
    distances, counts = np.unique(distances[distances > 0], return_counts=True)
    if not len(distances):
        return None
    usual_s = int(distances[np.argmax(counts)])
    if usual_s % _MINUTE_S or usual_s >= interval.seconds or interval.seconds % usual_s:
        return None
    is_most = 2 * counts.max() > counts.sum()
    off = int(off_grid(open_time_s, interval).sum())
    is_shorter = is_most or (off >= _DECISIVE_CANDLES and 2 * off > len(open_time_s))
    return usual_s if is_shorter else None


def agreed_length(evidence: Sequence[Evidence], candles: int) -> int:
    """Return the length in seconds on which all evidence agrees.

    Raises InvalidInput, of the field `file`, if there is no evidence, or it disagrees.
    """
    lengths = {each.length_s for each in evidence}
    if len(lengths) == 1:
        return lengths.pop()
    if not lengths:
        rows = "its one candle leaves" if candles == 1 else f"its {candles:,} candles leave"
        raise InvalidInput.of(
            "file", f"{rows} open how long candles are, and neither a closing time nor the name decides: "
            "give --interval"
        )  # fmt: skip
    claims = ", ".join(f"{each.source} {length_words(each.length_s)}" for each in evidence)
    raise InvalidInput.of(
        "file", f"its sources disagree about the length of its candles: {claims}: give --interval"
    )


def refuse_off_grid(off_grid: int, candles: int, interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, if more rows are off the grid than on it."""
    if off_grid >= _DECISIVE_CANDLES and off_grid > candles:
        raise InvalidInput.of(
            "file", f"most of its times are not on the {interval.value} grid: its candles are shorter"
        )


def refuse_longer(length_s: int, interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, if its candles are longer than the interval's."""
    if length_s > interval.seconds or interval.seconds % length_s:
        reason = f"its candles are {length_words(length_s)} long: {interval.value} cannot be made of them"
        if length_s > interval.seconds:
            *others, last = [each.value for each in Interval if each.seconds > interval.seconds]
            reason += f"; import hourly or shorter ones, of which {', '.join(others)} and {last} are made"
        raise InvalidInput.of("file", reason)


def refuse_mixed(open_time_s: TimeColumn, interval: Interval) -> None:
    """Raise InvalidInput, of the field `file`, if some of its candles are longer than the interval.

    `open_time_s` is strictly ascending, of shape (n,). A run of equal distances means longer candles if the
    distance is a length that exchanges offer.
    """
    distances = np.diff(open_time_s)
    starts = np.flatnonzero(np.diff(distances, prepend=-1))
    counts = np.diff(starts, append=len(distances))
    is_run = (counts >= _MIXED_DISTANCES) & (distances[starts] >= max(_MIXED_FROM_S, 2 * interval.seconds))
    for start, count in zip(starts[is_run].tolist(), counts[is_run].tolist(), strict=True):
        distance_s = int(distances[start])
        if distance_s in _USUAL_LONGER_S:
            raise InvalidInput.of(
                "file",
                f"from {utc(int(open_time_s[start]))} to {utc(int(open_time_s[start + count]))} its candles "
                f"are {length_words(distance_s)} apart, and others "
                f"{length_words(interval.seconds)}: give --interval",
            )


def length_words(length_s: int) -> str:
    """Return a length in words, in the largest unit of which it is a whole number."""
    units = (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S), ("second", 1))
    name, number = next((name, length_s // unit_s) for name, unit_s in units if length_s % unit_s == 0)
    return f"{number} {name}{'s' * (number != 1)}"
