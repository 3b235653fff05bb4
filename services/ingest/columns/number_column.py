"""A column of decimal numbers, from text."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backcast_engine.candles import PriceColumn
from services.ingest.files.text_rows import TextColumn, shown


def clean_numbers(column: TextColumn) -> PriceColumn | None:
    """Parse a column quickly, if all of it is plain numbers; otherwise return None."""
    try:
        numbers: PriceColumn = pc.cast(pa.array(column, pa.string()), pa.float64()).to_numpy()
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def read_numbers(name: str, column: TextColumn) -> tuple[PriceColumn, dict[int, str]]:
    """Return the doubles nearest to the decimals, shape (n,), and by position why some are not numbers.

    A value with a reason means nothing. Numbers are finite decimals, like `7195.24` and `1e-05`; not `nan`,
    `inf`, `1_000`, `1,5`, `0x1p3`, nor digits of other scripts.
    """
    clean = clean_numbers(column)
    if clean is not None:
        return clean, {}
    return _careful_numbers(name, column if isinstance(column, list) else column.to_pylist())


def plain_float(text: str) -> float:
    """Return the double nearest to a decimal, `nan` or `inf`; raises ValueError for other texts."""
    if not _is_plain(text):
        raise ValueError(text)
    return float(text)


def _careful_numbers(name: str, column: list[str]) -> tuple[PriceColumn, dict[int, str]]:
    numbers = np.zeros(len(column))
    reasons = {}
    for position, text in enumerate(column):
        try:
            number = plain_float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            numbers[position] = number
        elif not text.strip():
            reasons[position] = f"{name} is empty"
        else:
            reasons[position] = f"{name} is {shown(text)}, not a finite number"
    return numbers, reasons


def _is_plain(text: str) -> bool:
    """Return whether a text that float() accepts is valid in a file: float() also accepts `1_000`."""
    return text.isascii() and "_" not in text
