"""A column of decimal numbers, from text."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.domain.candles import PriceColumn
from services.ingest.files.text_rows import TextColumn, shown


def clean_numbers(column: TextColumn) -> PriceColumn | None:
    """Return the column where all of it is numbers as programs write them, and quickly; or None."""
    try:
        numbers: PriceColumn = pc.cast(pa.array(column, pa.string()), pa.float64()).to_numpy()
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def read_numbers(name: str, column: TextColumn) -> tuple[PriceColumn, dict[int, str]]:
    """Return the doubles nearest to the decimals, shape (n,), and why some are none, by position.

    Where there is a reason, the value means nothing. Numbers are finite decimals, like `7195.24`,
    `1e-05`; not `nan`, `inf`, `1_000`, `1,5`, `0x1p3`, nor digits of other scripts.
    """
    clean = clean_numbers(column)
    if clean is not None:
        return clean, {}
    return _careful_numbers(name, column if isinstance(column, list) else column.to_pylist())


def plain_float(text: str) -> float:
    """Return the double nearest to a decimal; raises ValueError if `text` is none. `nan` and `inf` are."""
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
    """Return whether all that float() takes in `text` is what a file may write: it takes Python's `1_000`."""
    return text.isascii() and "_" not in text
