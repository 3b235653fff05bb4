"""The number style of a file: its decimal mark and its thousands separator.

A single point is a decimal mark. The meaning of commas, spaces and apostrophes is decided by all numbers of
the file together; if it is ambiguous, the file is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backcast_engine.errors import InvalidInput
from services.ingest.files.text_rows import TextColumn, shown

_SPACES = "\u00a0\u202f\u2009"
_APOSTROPHE = "’"


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """A decimal mark, and a separator between groups of three digits; empty: no separator."""

    decimal: str
    thousands: str

    @property
    def pattern(self) -> str:
        """The regular expression of a number in this style."""
        whole = r"\d*"
        if self.thousands:
            whole = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(self.thousands)}\d{{3}})+|\d*)"
        return rf"^\s*[-+]?{whole}(?:{re.escape(self.decimal)}\d*)?(?:[eE][-+]?\d+)?\s*$"

    def plain(self, column: TextColumn) -> pa.StringArray:
        """Convert a column to plain numbers; texts of another style stay unchanged."""
        texts = _with_plain_marks(column)
        numbers = texts
        if self.thousands:
            numbers = pc.replace_substring(numbers, self.thousands, "")
        if self.decimal != ".":
            numbers = pc.replace_substring(numbers, self.decimal, ".")
        return pc.if_else(pc.match_substring_regex(texts, self.pattern), numbers, _array(column))


PLAIN = NumberStyle(".", "")
_STYLES = (
    PLAIN,
    NumberStyle(",", ""),
    *(NumberStyle(".", thousands) for thousands in (",", " ", "'")),
    *(NumberStyle(",", thousands) for thousands in (".", " ", "'")),
)


def style_of(columns: Sequence[TextColumn]) -> NumberStyle:
    """Return the style that fits all numbers of these columns; the plain one if none fits.

    Raises InvalidInput, of the field `file`, if several styles fit and give different numbers.
    """
    texts = pc.unique(pa.chunked_array([_with_plain_marks(column) for column in columns], pa.string()))
    matches = {style: pc.match_substring_regex(texts, style.pattern) for style in _STYLES}
    is_number = pc.match_substring_regex(texts, r"\d")
    of_any = pa.array(np.zeros(len(texts), np.bool_))
    for match in matches.values():
        of_any = pc.or_(of_any, match)
    of_any = pc.and_(of_any, is_number)
    fitting = [style for style, match in matches.items() if not pc.any(pc.and_not(of_any, match)).as_py()]
    if not fitting or PLAIN in fitting:
        return PLAIN
    numbers = pc.filter(texts, of_any)
    style, *others = fitting
    written = style.plain(numbers)
    for other in others:
        is_other = pc.not_equal(other.plain(numbers), written)
        if pc.any(is_other).as_py():
            text = pc.filter(numbers, is_other)[0].as_py()
            values = " or ".join(_value(each.plain([text])[0].as_py()) for each in (style, other))
            raise InvalidInput.of("file", f"its number {shown(text)} may be {values}: write decimal points")
    return style


def numbers_of(columns: Sequence[TextColumn]) -> NDArray[np.float64]:
    """Return the columns' numbers in their style, of shape (columns, n); NaN for other texts."""
    try:
        return np.array([pc.cast(_array(column), pa.float64()).to_numpy() for column in columns])
    except pa.ArrowInvalid:
        style = style_of(columns)
        return np.array(
            [[_number(text) for text in style.plain(column).to_pylist()] for column in columns], float
        )


def _number(text: str) -> float:
    return float(text) if re.match(PLAIN.pattern, text) and re.search(r"\d", text) else np.nan


def _value(text: str) -> str:
    return f"{float(text):,}"


def _with_plain_marks(column: TextColumn) -> pa.StringArray:
    """Replace all kinds of spaces and apostrophes by one kind each."""
    return pc.replace_substring(
        pc.replace_substring_regex(_array(column), f"[{_SPACES}]", " "), _APOSTROPHE, "'"
    )


def _array(column: TextColumn) -> pa.StringArray:
    if isinstance(column, list):
        # Arrow does not accept lone surrogates, which are in no number anyway.
        column = [text.encode(errors="replace").decode() for text in column]
    return pa.array(column, pa.string())
