"""Parses written times: a date in one of many formats, a time of day, an offset from UTC.

A whole column is parsed at once, by regular expressions that Arrow and Python interpret in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_rows import shown

Numbers = NDArray[np.int64]
Truths = NDArray[np.bool_]

_DAY_S = 86_400

_ZONE = r"\s*(?P<zone>Z|z|UTC|GMT|(?:UTC|GMT)?[-+]\d{2}(?::?\d{2})?)?\s*$"
_CLOCK = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?:[- ]?(?P<half>[AaPp][Mm]))?"
)
_SHORT_CLOCK = r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
_YEAR_FIRST = r"^\s*(?P<year>\d{4})(?P<mark>[-/.])(?P<one>\d{1,2})[-/.](?P<other>\d{1,2})"
_SHORT_YEAR_FIRST = r"^\s*(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
_YEAR_LAST = r"^\s*(?P<one>\d{1,2})(?P<mark>[-/.])(?P<other>\d{1,2})[-/.](?P<year>\d{4})"
_DAY_AND_NAME = r"^\s*(?:[A-Za-z]{3}, )?(?P<day>\d{1,2})[- ](?P<name>[A-Za-z]{3})[a-z]*[- ](?P<year>\d{4})"
_NAME_AND_DAY = r"^\s*(?P<name>[A-Za-z]{3})[a-z]* (?P<day>\d{1,2}),? (?P<year>\d{4})"
_BEFORE_CLOCK = r"(?:T|,? +)"
_FORMS = (
    *(
        f"{_YEAR_FIRST}(?:{_BEFORE_CLOCK}{_CLOCK})?{_ZONE}",
        f"{_YEAR_FIRST}{_BEFORE_CLOCK}{_SHORT_CLOCK}{_ZONE}",
    ),
    # Texts of fewer digits can be epochs.
    f"{_SHORT_YEAR_FIRST}{_BEFORE_CLOCK}{_SHORT_CLOCK}{_ZONE}",
    f"{_SHORT_YEAR_FIRST}{_BEFORE_CLOCK}{_CLOCK}{_ZONE}",
    rf"{_SHORT_YEAR_FIRST}(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}}){_ZONE}",
    *(
        f"{_YEAR_LAST}(?:{_BEFORE_CLOCK}{_CLOCK})?{_ZONE}",
        f"{_YEAR_LAST}{_BEFORE_CLOCK}{_SHORT_CLOCK}{_ZONE}",
    ),
    *(f"{date}(?:{_BEFORE_CLOCK}{_CLOCK})?{_ZONE}" for date in (_DAY_AND_NAME, _NAME_AND_DAY)),
)
_DIGIT_FORMS = tuple(
    f"{_SHORT_YEAR_FIRST}{clock}{_ZONE}"
    for clock in ("", r"(?P<hour>\d{2})", r"(?P<hour>\d{2})(?P<minute>\d{2})")
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


# The usual order of dates in this format; for slashes and hyphens there is none.
_POINTS, _YEAR_AHEAD, _OTHERS = "day.month.year", "year/month/day", "day/month/year"
_DAY_FIRST_MOSTLY = {_POINTS: True, _YEAR_AHEAD: False}
# A single contradicting date may be a typing error.
_DECISIVE_DATES = 2


@dataclass(slots=True)
class DateOrder:
    """Whether a file writes the day before the month, for each format, decided by its first dates."""

    day_first: dict[str, bool] = field(default_factory=dict)

    def decide(self, way: str, one: Numbers, other: Numbers, year: Numbers, clock_s: Numbers) -> bool:
        """Return whether `one` is the day, and `other` the month, in dates of one format, each of shape (n,).

        A number above 12 is a day. Without one, the order is right in which candles are consecutive over
        midnight, and otherwise the usual order. Raises ValueError if nothing decides, or if dates contradict
        each other or earlier ones.
        """
        is_date = (np.maximum(one, other) <= 31) & (np.minimum(one, other) <= 12)
        firsts, seconds = int((is_date & (one > 12)).sum()), int((is_date & (other > 12)).sum())
        decided, usual = self.day_first.get(way), _DAY_FIRST_MOSTLY.get(way)
        if firsts and seconds:
            raise ValueError("the day is first in some dates and second in others")
        if firsts or seconds:
            is_day_first = firsts > 0
            is_doubtful = (
                usual is not None and is_day_first is not usual and firsts + seconds < _DECISIVE_DATES
            )
            if is_doubtful or decided not in (None, is_day_first):
                raise ValueError("the day is first in some dates and second in others")
        elif decided is not None:
            return decided
        elif (one == other).all():
            return True
        else:
            first, second = (
                _runs_over_midnight(_days(year, month, day) * _DAY_S + clock_s)
                for day, month in ((one, other), (other, one))
            )
            if first == second and usual is None:
                raise ValueError("either order fits, or none")
            is_day_first = bool(usual) if first == second else first
        self.day_first[way] = is_day_first
        return is_day_first


def read_digits(texts: pa.StringArray) -> tuple[Numbers, Truths]:
    """Return Unix seconds of dates like 20240131, 2024013113 and 202401311300, and which texts are such.

    Both are of shape (n,). Years are 1970 to 2099; other digits are epochs.
    """
    seconds, _, is_date = _read(texts, _DIGIT_FORMS, DateOrder(), None)
    is_date &= _truths(pc.match_substring_regex(texts, r"^\s*(?:19[7-9]|20)\d+\s*$"))
    return seconds, is_date


def read_written(
    texts: pa.StringArray, dates: DateOrder, lines: Sequence[int] | Numbers | None
) -> tuple[Numbers, Numbers, Truths]:
    """Return Unix seconds, the remaining nanoseconds, and which texts are times, each of shape (n,).

    Times without an offset are in UTC. If a text is no time, its numbers mean nothing.
    """
    return _read(texts, _FORMS, dates, lines)


def _read(
    texts: pa.StringArray, forms: Sequence[str], dates: DateOrder, lines: Sequence[int] | Numbers | None
) -> tuple[Numbers, Numbers, Truths]:
    count = len(texts)
    seconds, rest, is_time = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for form in forms:
        if is_time.all():
            break
        matches = pc.extract_regex(texts, form)
        positions = np.flatnonzero(_truths(matches.is_valid()) & ~is_time)
        if len(positions):
            found = pa.array(positions)
            numbers = None if lines is None else np.asarray(lines)[positions]
            fields = _Fields(matches.take(found), texts.take(found), numbers)
            seconds[positions], rest[positions], is_time[positions] = fields.times(dates)
    return seconds, rest, is_time


class _Fields:
    """The parts of texts that match one of the formats; parts that the format lacks are 0."""

    def __init__(self, matches: pa.StructArray, texts: pa.StringArray, lines: Numbers | None) -> None:
        self._matches = matches
        self._texts = texts
        self._lines = lines
        self._names = {part.name for part in matches.type}
        self._is_year_first = matches.type.get_field_index("year") == 0

    def times(self, dates: DateOrder) -> tuple[Numbers, Numbers, Truths]:
        clock_s, is_clock = self._clock()
        offset_s, is_offset = self._offset()
        year, month, day = self._date(dates, clock_s)
        is_month = (month >= 1) & (month <= 12) & (year >= 1)
        days = _days(np.where(is_month, year, 1970), np.where(is_month, month, 1), day)
        is_date = is_month & (day >= 1) & (_month_of(days) == month)
        return days * _DAY_S + clock_s - offset_s, self._nanoseconds(), is_date & is_clock & is_offset

    def _clock(self) -> tuple[Numbers, Truths]:
        """Return seconds since midnight, and which of them are valid times of day."""
        hour, minute, second = map(self._number, ("hour", "minute", "second"))
        is_clock = (hour < 24) & (minute < 60) & (second < 60)
        if "half" in self._names:
            half = pc.utf8_upper(self._matches.field("half"))
            has_half = _truths(pc.not_equal(half, ""))
            is_clock &= ~has_half | ((hour >= 1) & (hour <= 12))
            # 12 AM is midnight, 12 PM is noon.
            hour = np.where(has_half, hour % 12 + 12 * _truths(pc.equal(half, "PM")), hour)
        return hour * 3600 + minute * 60 + second, is_clock

    def _offset(self) -> tuple[Numbers, Truths]:
        """Return the offsets from UTC in seconds, and which of them are valid."""
        zone = pc.replace_substring_regex(self._matches.field("zone"), "^(?:UTC|GMT|Z|z)", "")
        if not _truths(pc.not_equal(zone, "")).any():
            return np.zeros(len(zone), np.int64), np.ones(len(zone), np.bool_)
        digits = pc.replace_substring_regex(zone, r"[-+:]", "")
        hours = _numbers(pc.utf8_slice_codeunits(digits, 0, 2))
        minutes = _numbers(pc.utf8_slice_codeunits(digits, 2))
        sign = np.where(_truths(pc.starts_with(zone, "-")), -1, 1)
        return sign * (hours * 3600 + minutes * 60), (hours < 24) & (minutes < 60)

    def _date(self, dates: DateOrder, clock_s: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return year, month and day, which may be no valid date."""
        year, day = self._number("year"), self._number("day")
        if "name" in self._names:
            names = pc.utf8_lower(self._matches.field("name"))
            months = pc.fill_null(pc.index_in(names, pa.array(_MONTHS)), -1)
            return year, months.to_numpy().astype(np.int64) + 1, day
        if "one" not in self._names:
            return year, self._number("month"), day
        one, other = self._number("one"), self._number("other")
        day_first = np.zeros(len(year), np.bool_)
        for way, is_way in self._ways().items():
            if is_way.any():
                try:
                    day_first[is_way] = dates.decide(
                        way, one[is_way], other[is_way], year[is_way], clock_s[is_way]
                    )
                except ValueError as error:
                    raise self._undecided(int(np.argmax(is_way & (one != other)))) from error
        return year, np.where(day_first, other, one), np.where(day_first, one, other)

    def _ways(self) -> dict[str, Truths]:
        """Return which dates have which format; in ISO 8601, the month is always first."""
        mark = self._matches.field("mark")
        if self._is_year_first:
            return {_YEAR_AHEAD: _truths(pc.not_equal(mark, "-"))}
        has_points = _truths(pc.equal(mark, "."))
        return {_POINTS: has_points, _OTHERS: ~has_points}

    def _undecided(self, position: int) -> InvalidInput:
        text = shown(self._texts[position].as_py().strip())
        place = "" if self._lines is None else f"line {self._lines[position]}: "
        return InvalidInput.of(
            "file",
            f"{place}it is not clear whether the day or the month is first in {text} and the other times: "
            "write 2024-01-31 13:00, or an epoch",
        )

    def _nanoseconds(self) -> Numbers:
        if "fraction" not in self._names:
            return np.zeros(len(self._texts), np.int64)
        return _numbers(pc.utf8_rpad(self._matches.field("fraction"), 9, "0"))

    def _number(self, name: str) -> Numbers:
        if name not in self._names:
            return np.zeros(len(self._texts), np.int64)
        return _numbers(self._matches.field(name))


def _runs_over_midnight(open_time_s: Numbers) -> bool:
    """Return whether any candle after midnight has the usual distance to the one before midnight."""
    times = np.unique(open_time_s)
    distances = np.diff(times)
    if not len(distances) or distances.min() >= _DAY_S:
        return False
    is_usual = distances == distances.min()
    return bool((is_usual & (np.diff(times // _DAY_S) > 0)).any())


def _days(year: Numbers, month: Numbers, day: Numbers) -> Numbers:
    """Return days since 1970 of dates with months from 1 to 12; days out of range run into other months."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    result: Numbers = months.astype("datetime64[D]").astype(np.int64) + day - 1
    return result


def _month_of(days: Numbers) -> Numbers:
    result: Numbers = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    return result


def _numbers(texts: pa.StringArray) -> Numbers:
    """Convert texts of at most ten digits to numbers; empty ones are 0."""
    result: Numbers = pc.cast(pc.if_else(pc.equal(texts, ""), "0", texts), pa.int64()).to_numpy()
    return result


def _truths(column: pa.BooleanArray) -> Truths:
    result: Truths = column.to_numpy(zero_copy_only=False)
    return result
