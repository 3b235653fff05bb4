"""Parses a column of times: dates with a time of day, or epochs in seconds, milli-, micro- or nanoseconds."""

import re
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn
from backcast_engine.errors import InvalidInput
from services.ingest.columns.number_column import plain_float
from services.ingest.columns.written_times import DateOrder, read_digits, read_written
from services.ingest.files.text_rows import TextColumn, shown

# The last second that 64-bit nanoseconds can represent, 2262-04-11T23:47:16Z. Later times are errors, and fit
# into no time columns of NumPy or Arrow.
MAX_TIME_S = (2**63 - 1) // 10**9

ACCEPTED = (
    "2024-01-31 13:00 (also with / or . between, seconds, Z, UTC, +01:00), 20240131, 20240131 1300, "
    "31.01.2024 13:00, 31/01/2024 or 01/31/2024 1:00 PM where only one order fits, or an epoch in s, ms, µs "
    "or ns"
)

# The unit of an epoch is the coarsest that puts it before the year 5138, value by value, because one file can
# contain two units. So milliseconds and finer units are recognized from 1973 on.
_UNITS_PER_S = (1, 10**3, 10**6, 10**9)
_TICK_UNITS = ("s", "ms", "us", "ns")
_UNIT_LIMITS = (10**11, 10**14, 10**17)
# Below this, a double represents every integer exactly.
_MAX_EXACT = 2.0**53
# Dates that consist of digits only, with or without hour and minute, look like epochs; this many rows decide.
_DIGITS = re.compile(r"\s*(?:19[7-9]\d|20\d\d)(?:0[1-9]|1[0-2])[0-3]\d(?:\d\d){0,2}\s*")
_SHOWING_ROWS = 20
# Most characters of a time.
_MAX_CHARACTERS = 64


def read_times(
    column: TextColumn, dates: DateOrder | None = None, lines: Sequence[int] | NDArray[np.int64] | None = None
) -> tuple[TimeColumn, dict[int, str]]:
    """Return Unix seconds, shape (n,), and by position why some texts are not times.

    A value with a reason means nothing. Times without offset are UTC. Times must be whole seconds from 1970
    to 2262. Eight digits like 20240131 are a date if all texts of digits in the column are. `dates` has the
    order of day and month of earlier columns; `lines` are the rows' numbers. Raises InvalidInput, of the
    field `file`, if the order of day and month is undecided, naming the first such row, and if times look
    like 2024013113.
    """
    if any(_DIGITS.fullmatch(str(text)) for text in column[:_SHOWING_ROWS]):
        column = _with_dates(column, lines)
    clean = _clean_times(column)
    if clean is not None:
        return clean, {}
    return _careful_times(column, dates or DateOrder(), lines)


def floor_seconds(column: TextColumn, dates: DateOrder | None = None) -> TimeColumn:
    """Return the Unix seconds that contain the times, shape (n,), and -1 if a text is no time.

    `dates` has the order of day and month of other columns of the file.
    """
    try:
        texts = pa.array(column, pa.string())
        if pc.all(pc.utf8_is_digit(texts)).as_py():
            return _epoch_seconds(pc.cast(texts, pa.int64()).to_numpy())[0]
        return (_iso_seconds(texts) if _is_iso(texts) else _decimal_seconds(texts))[0]
    except (pa.ArrowInvalid, UnicodeEncodeError):
        seconds, _, is_written = read_written(_short_texts(column), dates or DateOrder(), None)
        for position in np.flatnonzero(~is_written).tolist():
            text = column[position] if isinstance(column, list) else column[position].as_py()
            time_s = _time(text.strip())[0]
            seconds[position] = -1 if time_s is None or not 0 <= time_s <= MAX_TIME_S else time_s
        return seconds


def is_time(text: str) -> bool:
    """Return whether a text is a time, whatever the order of day and month."""
    try:
        return not read_times([text])[1]
    except InvalidInput:
        return True


def is_clock(text: str) -> bool:
    """Return whether a text is a time of day, as in a column beside a date."""
    return re.fullmatch(r"\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?\s*|\d{6}", text) is not None


def times_of_ticks(ticks: NDArray[np.int64], unit: str) -> tuple[TimeColumn, dict[int, str]]:
    """Convert ticks of unit `s`, `ms`, `us` or `ns` to Unix seconds; also return why some are no times."""
    times, rests = np.divmod(ticks, _UNITS_PER_S[_TICK_UNITS.index(unit)])
    moments = ticks.view(f"datetime64[{unit}]")
    is_wrong = (times < 0) | (times > MAX_TIME_S) | (rests != 0)
    reasons = {}
    for position in np.flatnonzero(is_wrong).tolist():
        wrong = _wrong(int(times[position]), int(rests[position]))
        reasons[position] = f"the time {moments[position]} {wrong}"
    return times, reasons


def _with_dates(column: TextColumn, lines: Sequence[int] | NDArray[np.int64] | None) -> TextColumn:
    """Replace dates like 20240131 by epochs, if all texts of digits are such dates.

    Raises InvalidInput, of the field `file`, if the digits include an hour: these could be epochs.
    """
    texts = _short_texts(column)
    seconds, is_date = read_digits(texts)
    is_digits: NDArray[np.bool_] = pc.match_substring_regex(texts, r"^\s*\d+\s*$").to_numpy(
        zero_copy_only=False
    )
    if not np.array_equal(is_date, is_digits):
        return column
    is_long = is_date & (pc.utf8_length(pc.utf8_trim_whitespace(texts)).to_numpy() > 8)
    if is_long.any():
        position = int(np.argmax(is_long))
        place = "" if lines is None else f"line {lines[position]}: "
        text = shown(texts[position].as_py().strip())
        raise InvalidInput.of(
            "file",
            f"{place}the time {text} looks like a date with its hour in digits alone, which may be an epoch: "
            "write 2024-01-31 13:00, 20240131 1300, or an epoch",
        )
    return pc.if_else(pa.array(is_date), pc.cast(pa.array(seconds), pa.string()), texts)


def _clean_times(column: TextColumn) -> TimeColumn | None:
    """Parse a column quickly, if all of it is times of one format; otherwise return None."""
    try:
        texts = pa.array(column, pa.string())
        if pc.all(pc.utf8_is_digit(texts)).as_py():
            seconds, rest = _epoch_seconds(pc.cast(texts, pa.int64()).to_numpy())
        else:
            seconds, rest = _iso_seconds(texts) if _is_iso(texts) else _decimal_seconds(texts)
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    if rest.any() or (seconds < 0).any() or (seconds > MAX_TIME_S).any():
        return None
    return seconds


def _is_iso(texts: pa.StringArray) -> bool:
    """Return whether the first text begins like an ISO 8601 date."""
    return len(texts) > 0 and texts[0].as_py()[4:5] == "-"


def _iso_seconds(texts: pa.StringArray) -> tuple[TimeColumn, TimeColumn]:
    try:
        times = pc.cast(texts, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:  # there are no offsets
        times = pc.cast(texts, pa.timestamp("us"))
    seconds, rest = np.divmod(times.cast(pa.int64()).to_numpy(), 10**6)
    return seconds, rest


def _decimal_seconds(texts: pa.StringArray) -> tuple[TimeColumn, TimeColumn]:
    """Parse epochs like 1601276400.0 and 1.6012764e9, as spreadsheets and dataframes write them."""
    numbers = pc.cast(texts, pa.float64()).to_numpy()
    if not (np.abs(numbers) < _MAX_EXACT).all() or (numbers < 0).any():
        raise pa.ArrowInvalid("a number that is no epoch, or not exactly")
    return _epoch_seconds(numbers)


def _careful_times(
    column: TextColumn, dates: DateOrder, lines: Sequence[int] | NDArray[np.int64] | None
) -> tuple[TimeColumn, dict[int, str]]:
    seconds, rests, is_written = read_written(_short_texts(column), dates, lines)
    is_good = is_written & (rests == 0) & (seconds >= 0) & (seconds <= MAX_TIME_S)
    times = np.where(is_good, seconds, 0)
    reasons = {}
    for position in np.flatnonzero(~is_good).tolist():
        text = column[position] if isinstance(column, list) else column[position].as_py()
        time_s: int | None
        rest: float
        if is_written[position]:
            time_s, rest = int(seconds[position]), float(rests[position])
        else:
            time_s, rest = _time(text.strip())
        if time_s is None:
            reasons[position] = (
                f"the time is {shown(text)}, not a time" if text.strip() else "the time is empty"
            )
        elif wrong := _wrong(time_s, rest):
            reasons[position] = f"the time {shown(text)} {wrong}"
        else:
            times[position] = time_s
    return times, reasons


def _short_texts(column: TextColumn) -> pa.StringArray:
    """Return a column as an Arrow array, without texts that are too long for a time."""
    if not isinstance(column, list):
        return pc.if_else(pc.less_equal(pc.binary_length(column), _MAX_CHARACTERS), column, "")
    # Arrow does not accept lone surrogates, which are in no time anyway.
    texts = (text.encode(errors="replace").decode() for text in column)
    return pa.array([text if len(text) <= _MAX_CHARACTERS else "" for text in texts], pa.string())


def _wrong(seconds: int, rest: float) -> str | None:
    """Return why a time cannot be that of a candle; None if it can."""
    if seconds < 0:
        return "is before 1970"
    if seconds > MAX_TIME_S:
        return "is after 2262"
    return "is not a whole second" if rest else None


def _time(text: str) -> tuple[int | None, float]:
    """Return an epoch's Unix seconds, None if `text` is no epoch, and the fraction of a second."""
    try:
        return _epoch(int(text) if _is_digits(text) else plain_float(text))
    except ValueError:  # also of int() for more digits than it takes, and for a nan or an infinity
        return None, 0


def _epoch(number: float) -> tuple[int, float]:
    unit = _UNITS_PER_S[bisect_right(_UNIT_LIMITS, abs(number))]
    seconds, rest = divmod(number, unit)
    return int(seconds), rest


def _epoch_seconds(epochs: NDArray[np.int64] | NDArray[np.float64]) -> tuple[TimeColumn, TimeColumn]:
    """Like `_epoch`, for a column of numbers that are not negative."""
    unit = np.searchsorted(np.array(_UNIT_LIMITS), epochs, side="right")
    seconds, rest = np.divmod(epochs, np.array(_UNITS_PER_S)[unit])
    return seconds.astype(np.int64, copy=False), rest


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
