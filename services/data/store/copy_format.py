"""PostgreSQL's binary COPY format, converted to and from columns without a Python object per row.

A candle's row has a fixed size, because no column is null: the number of fields, then for each field its size
and its value, all big-endian. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import TimeColumn
from services.domain.ticks import TickColumn

# Signature, flags, and the length 0 of the header extension.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# PostgreSQL counts microseconds from 2000-01-01.
_POSTGRES_EPOCH_S = 946_684_800
_MICROSECONDS = 1_000_000

_TYPES = {"crypto_id": ">i4", "candle_count": ">i2"}
_OTHERS_TYPE = ">i8"


def decode_rows(copied: bytes | bytearray, columns: Sequence[str]) -> tuple[TimeColumn, list[TickColumn]]:
    """Decode a complete COPY of `columns`: Unix seconds, and the other columns, each int64 of shape (n,).

    The first column is `ts`; the others have eight bytes each.
    """
    row = _row(columns)
    count = (len(copied) - len(HEADER)) // row.itemsize
    rows = np.frombuffer(copied, row, offset=len(HEADER), count=count)
    first, *others = columns
    return unix_seconds(rows[first]), [rows[name].astype(np.int64) for name in others]


def unix_seconds(times: NDArray[np.int64]) -> TimeColumn:
    """Convert PostgreSQL's microseconds to Unix seconds."""
    seconds = times.astype(np.int64)
    seconds //= _MICROSECONDS
    seconds += _POSTGRES_EPOCH_S
    return seconds


def encode_rows(columns: dict[str, int | NDArray[np.int64]]) -> bytearray:
    """Encode the rows of a COPY, without header and trailer; `ts` is in Unix seconds.

    A column is int64 of shape (n,), or one value for all rows.
    """
    row = _row(list(columns))
    pattern = np.zeros(1, row)
    pattern["field_count"] = len(columns)
    for name, column in columns.items():
        pattern[f"{name}_size"] = row[name].itemsize
        if isinstance(column, int):
            pattern[name] = column
    # Repeating a row is far faster than filling in the shared values field by field.
    copied = bytearray(pattern.tobytes()) * len(np.asarray(columns["ts"]))
    rows = np.frombuffer(copied, row)
    for name, column in columns.items():
        if not isinstance(column, int):
            rows[name] = (column - _POSTGRES_EPOCH_S) * _MICROSECONDS if name == "ts" else column
    return copied


def _row(columns: Sequence[str]) -> np.dtype[np.void]:
    sized = (((f"{name}_size", ">i4"), (name, _TYPES.get(name, _OTHERS_TYPE))) for name in columns)
    return np.dtype([("field_count", ">i2"), *(field for pair in sized for field in pair)])
