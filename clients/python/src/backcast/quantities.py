"""Arguments as people write them: fractions, distances, times, intervals, choices."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

import numpy as np

from backcast.errors import InvalidRequestError

Number = float | int | str
"""A number, or text with a unit: 0.001, "0.1%", "10bps"."""
Time = str | date | datetime | np.datetime64
"""A time: ISO 8601 text, a date, a datetime, or a timestamp of pandas or NumPy. Without a zone it is UTC."""

# Costs above these are refused unless they are written with a unit; the server has the same limits.
HIGH_FEE_RATE, HIGH_SLIPPAGE = 0.02, 0.05

_T = TypeVar("_T")
_WRITTEN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)\s*(%|bps?)?", re.ASCII | re.IGNORECASE)
_UNITS = {"%": Decimal("0.01"), "bps": Decimal("0.0001"), "bp": Decimal("0.0001")}


def fraction(value: Number, name: str) -> float:
    """Return a fraction: 0.1 %, as a number, is 0.001."""
    return _fraction(value, name)[0]


def cost(value: Number, name: str, high: float) -> tuple[float, bool]:
    """Return a cost as a fraction, and whether it is above `high` on purpose: written with a unit.

    Raises InvalidRequestError where it is high without a unit, as most of such costs are mistyped.
    """
    fraction_, has_unit = _fraction(value, name)
    if fraction_ > high and not has_unit:
        meant, percent = f"{fraction_ * 100:.15g}%", f"{value}%"
        raise InvalidRequestError.of(
            name,
            f'{value} would be {meant}: write "{meant}" if that is meant, or "{percent}" for {value} percent',
        )
    return fraction_, fraction_ > high


def _fraction(value: Number, name: str) -> tuple[float, bool]:
    if not isinstance(value, str):
        return number(value, name), False
    written = _WRITTEN.fullmatch(value.strip())
    if written is None:
        raise InvalidRequestError.of(name, f"{value!r} is not a fraction like 0.1%, 10bps or 0.001")
    digits, unit = written.groups()
    scale = _UNITS[unit.lower()] if unit else Decimal(1)
    return float(Decimal(digits) * scale), unit is not None


def number(value: object, name: str) -> float:
    """Return a finite number; NumPy's numbers are numbers too."""
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        result = float(value)  # type: ignore[arg-type]  # what is no number raises
    except OverflowError:
        raise InvalidRequestError.of(name, "is a number that is too large") from None
    except (TypeError, ValueError):
        raise InvalidRequestError.of(name, f"{value!r} is not a number") from None
    if result - result != 0:
        raise InvalidRequestError.of(name, f"{value} is not a finite number")
    return result


def whole(value: object, name: str) -> int:
    """Return a whole number."""
    result = number(value, name)
    if not result.is_integer():
        raise InvalidRequestError.of(name, f"{value!r} is not a whole number")
    return int(result)


def seconds(value: object, name: str) -> float:
    """Return a duration in seconds."""
    result = number(value, name)
    if result < 0:
        raise InvalidRequestError.of(name, f"{value} is no number of seconds")
    return result


def text(value: object, name: str) -> str:
    """Return text that can be sent."""
    if not isinstance(value, str):
        raise InvalidRequestError.of(name, f"{value!r} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError.of(name, f"{value!r} has characters that are not Unicode") from None
    return value


def distance(value: Number, name: str) -> tuple[str, float]:
    """Return the kind of a distance, and its value.

    It is a `fraction` of the price, or the `atr_multiple`, of the average true range, of text like `2atr`.
    """
    if isinstance(value, str) and value.strip().lower().endswith("atr"):
        multiple, has_unit = _fraction(value.strip()[:-3], name)
        if has_unit:
            raise InvalidRequestError.of(name, f"{value!r} is not a distance like 5%, 0.05 or 2atr")
        return "atr_multiple", multiple
    return "fraction", fraction(value, name)


def time(value: Time, name: str) -> datetime:
    """Return a time as a datetime with a zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidRequestError.of(
                name, f"{value!r} is not a time like 2024-01-31 or 2024-01-31T12:00"
            ) from None
    elif isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    # A missing time of pandas or NumPy is no datetime, or is not equal to itself.
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124
        raise InvalidRequestError.of(name, f"{value!r} is not a time: give text, a date or a datetime")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def choice(value: str, names: Mapping[str, _T], name: str) -> _T:
    """Return the choice that `value` names, in any case, with hyphens or underscores."""
    chosen = names.get(str(value).strip().upper().replace("-", "_"))
    if chosen is None:
        choices = ", ".join(choice.lower().replace("_", "-") for choice in names)
        raise InvalidRequestError.of(name, f"{value!r} is not one of {choices}")
    return chosen


def symbols(value: object, name: str) -> list[str]:
    """Return a list of symbols, of text with commas or of a sequence; that of `all` is empty."""
    if isinstance(value, str) and value.strip().lower() == "all":
        return []
    listed = symbol_list(value, name)
    if not listed:
        # To the server, an empty list means all cryptos; who filtered a list down to nothing means none.
        raise InvalidRequestError.of(name, 'the list is empty: write "all" for all cryptos')
    return listed


def symbol_list(value: object, name: str) -> list[str]:
    """Return the symbols of text with commas or of a sequence; there may be none."""
    if isinstance(value, str):
        return [part.strip() for part in text(value, name).split(",")] if value.strip() else []
    try:
        listed = list(value)  # type: ignore[call-overload]  # what is no iterable raises
    except TypeError:
        raise InvalidRequestError.of(name, f"{value!r} is no list of symbols") from None
    # NumPy's text is text.
    return [str(text(symbol, name)) for symbol in listed]
